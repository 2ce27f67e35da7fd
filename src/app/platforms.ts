// What a command line or page may hold of the ports without touching them: opened, handed on, disposed.

export type { Clock } from '../ports/clock.ts';
export type { Source as OpenSource } from '../ports/source.ts';
export type { Target as OpenTarget } from '../ports/target.ts';
