import type { KubernetesObject, ResourceKind } from '../domain/kubernetes-object.ts';
import { ProblemError } from '../domain/problems.ts';
import type { ListOptions } from '../ports/cluster.ts';
import { keyOf, type ReceivedPage, receivedObject } from './received-object.ts';

/** Pages of an answer to a list; the first one without a token. */
export type GetPage = (token: string | undefined) => Promise<ReceivedPage>;

/** In a row, without a page between them. */
const MOST_EXPIRIES = 5;

/**
 * All objects, page by page. A snapshot that the server forgets on the way (410) is gone on with where it was, at the state of that moment, or begun anew; either way no object comes
 * twice. Holds a page, and the names of what was given.
 */
export async function* listObjects<T extends KubernetesObject>(
  kind: ResourceKind<T>,
  getPage: GetPage,
  { signal }: ListOptions,
): AsyncGenerator<T, void> {
  const given = new Set<string>();
  let token: string | undefined;
  let expiries = 0;
  while (true) {
    signal?.throwIfAborted();
    let page: ReceivedPage;
    try {
      page = await getPage(token);
    } catch (error) {
      expiries += 1;
      if (!isExpired(error) || expiries > MOST_EXPIRIES) throw error;
      // The server may give a token for the rest (https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks).
      const { continueWith } = error.context;
      token = typeof continueWith === 'string' ? continueWith : undefined;
      continue;
    }
    expiries = 0;
    for (const item of page.items) {
      const object = receivedObject(kind, item);
      const key = keyOf(object.metadata);
      if (given.has(key)) continue;
      given.add(key);
      yield object;
    }
    if (page.next === undefined) return;
    token = page.next;
  }
}

/** The server does not know that version any more. */
export function isExpired(error: unknown): error is ProblemError {
  return error instanceof ProblemError && error.context.status === 410;
}
