import type { ServerResponse } from 'node:http';
import { PROBLEM_DETAIL_HEADER, PROBLEM_HEADER } from '../../api/transfer-protocol.ts';
import { isProblem, type ProblemCode, type ProblemError } from '../../domain/problems.ts';

/** Headers are bounded by whoever reads them. */
const MOST_DETAIL = 1024;

const STATUSES: Partial<Record<ProblemCode, number>> = {
  TransferUnknown: 404,
  TransferSuperseded: 409,
  EndpointNotUnderstood: 400,
  SourceBusy: 503,
};

/** Tells the worker what is wrong, so that it knows whether to ask again: 5xx may pass, 4xx will not. What is no problem of ours is a bug, of which only the log learns more. */
export function answerProblem(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    // Too late to say anything; an answer that breaks off is at least not taken for a whole one.
    response.destroy();
    return;
  }
  if (!isProblem(error)) {
    send(response, 500, 'ClusterFailed', 'the controller met an error of its own; its log says more');
    return;
  }
  send(response, statusOf(error), error.code, error.message);
}

function statusOf({ code, context }: ProblemError): number {
  if (code === 'EndpointRefused') return context.status === 403 ? 403 : 401;
  const known = STATUSES[code];
  if (known !== undefined) return known;
  // Of the source, behind the endpoint.
  return code.startsWith('Source') || code.startsWith('Archive') ? 502 : 503;
}

function send(response: ServerResponse, status: number, code: ProblemCode, detail: string): void {
  const body = JSON.stringify({ code, detail });
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    [PROBLEM_HEADER]: code,
    [PROBLEM_DETAIL_HEADER]: encodeURIComponent(cut(detail)),
  });
  response.end(body);
}

/** Without half of a surrogate pair at the end, which cannot be encoded. */
function cut(detail: string): string {
  return detail.slice(0, MOST_DETAIL).toWellFormed();
}
