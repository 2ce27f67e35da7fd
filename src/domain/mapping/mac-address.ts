/** KubeVirt's own bridge inside the Pod has this address and refuses it for a card on the pod network (pkg/network/link/mac.go). */
const KUBEVIRT_BRIDGE = '02:00:00:00:00:00';

/** The address in the form `00:50:56:ab:cd:ef`, or the reason why a card cannot have it. Takes colons, hyphens, dots or no separators. */
export function parseMacAddress(text: string): { readonly mac: string } | { readonly reason: string } {
  const digits = text.trim().replace(/[:.-]/g, '').toLowerCase();
  if (!/^[0-9a-f]{12}$/.test(digits)) return { reason: 'not a MAC address' };
  const mac = digits.replace(/(..)(?=.)/g, '$1:');
  if (digits === '000000000000') return { reason: 'all zeroes is no address' };
  if (Number.parseInt(digits.slice(0, 2), 16) % 2 === 1)
    return { reason: 'a multicast address cannot be the address of a card' };
  if (mac === KUBEVIRT_BRIDGE) return { reason: 'KubeVirt keeps this address for itself' };
  return { mac };
}
