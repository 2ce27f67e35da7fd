const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A quantity as Kubernetes writes it (apimachinery `resource.Quantity`): `223Gi`, `1e9`, `500m`. Undefined for anything else. Exact up to 2^53. */
export function parseQuantity(text: string): number | undefined {
  const [, number, exponent, suffix = ''] =
    /^([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:([eE][+-]?\d+)|([A-Za-z]{0,2}))$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  if (exponent !== undefined) return Number(`${number}${exponent}`);
  const factor = SUFFIXES[suffix];
  return factor === undefined ? undefined : Number(number) * factor;
}
