import { ProblemError } from '../../domain/problems.ts';
import { isTrue, malformed, ovfAttribute, ovfChildren, ovfText, quote } from './ovf-elements.ts';
import type { OvfDeployment } from './ovf-package.ts';
import type { XmlElement } from './xml-tree.ts';

export function parseDeployments(root: XmlElement): OvfDeployment[] {
  return ovfChildren(root, 'DeploymentOptionSection')
    .flatMap((section) => ovfChildren(section, 'Configuration'))
    .map((element) => {
      const id = ovfAttribute(element, 'id');
      if (!id) throw malformed(element, 'a deployment option without ovf:id');
      return {
        id,
        label: ovfText(element, 'Label') ?? id,
        description: ovfText(element, 'Description') ?? '',
        isDefault: isTrue(ovfAttribute(element, 'default')),
      };
    });
}

/**
 * The option to read the machines for: the wanted one, else the one marked as default, else the first (DSP0243, DeploymentOptionSection).
 * @throws ProblemError `DeploymentUnknown`
 */
export function chooseDeployment(
  deployments: readonly OvfDeployment[],
  wanted: string | undefined,
): string | undefined {
  if (wanted === undefined) return (deployments.find((option) => option.isDefault) ?? deployments[0])?.id;
  if (deployments.some((option) => option.id === wanted)) return wanted;
  const known = deployments.slice(0, 50).map((option) => quote(option.id));
  throw new ProblemError(
    'DeploymentUnknown',
    known.length === 0
      ? `${quote(wanted)} was chosen, and the descriptor has no deployment options`
      : `${quote(wanted)} is not one of ${known.join(', ')}`,
  );
}
