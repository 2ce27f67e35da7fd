import type { Clock } from '../app/platforms.ts';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import type { Services } from './services.ts';

/** A command as data; run-cli.ts turns it into options and help, completion.ts into completions. */
export interface CommandDefinition<F extends Flags = Flags> {
  readonly name: string;
  /** One sentence. */
  readonly help: string;
  readonly positionals: readonly Positional[];
  readonly flags: F;
  /** Whole command lines with what they do. */
  readonly examples: readonly (readonly [command: string, does: string])[];
  /** The same command line continues what was interrupted. */
  readonly isResumable?: boolean;
  /** What an interruption leaves, where that may be something. */
  readonly whenInterrupted?: string;
  run(call: CommandCall<F>): Promise<ExitCode>;
}

export interface Positional {
  readonly name: string;
  readonly help: string;
  readonly isOptional?: boolean;
  /** Takes all that follow. */
  readonly isList?: boolean;
  /** The only values allowed. */
  readonly of?: readonly string[];
  /** Values that may be meant, for completion. */
  readonly suggests?: readonly string[];
}

export type Flag =
  | { readonly type: 'switch'; readonly short?: string; readonly help: string }
  | {
      readonly type: 'text';
      readonly short?: string;
      readonly placeholder: string;
      readonly help: string;
      readonly isRequired?: boolean;
    }
  | { readonly type: 'list'; readonly short?: string; readonly placeholder: string; readonly help: string }
  | {
      readonly type: 'choice';
      readonly short?: string;
      readonly of: readonly string[];
      readonly default?: string;
      readonly help: string;
    };

export type Flags = Readonly<Record<string, Flag>>;

type FlagValue<F extends Flag> = F extends { type: 'switch' }
  ? boolean
  : F extends { type: 'list' }
    ? readonly string[]
    : F extends { type: 'choice'; of: readonly (infer V)[]; default: string }
      ? V
      : F extends { type: 'choice'; of: readonly (infer V)[] }
        ? V | undefined
        : F extends { type: 'text'; isRequired: true }
          ? string
          : string | undefined;

export interface CommandCall<F extends Flags = Flags> {
  /** In the order of the definition; lists hold what is left. */
  readonly positionals: readonly string[];
  readonly flags: { readonly [K in keyof F]: FlagValue<F[K]> };
  readonly services: Services;
  readonly io: Io;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Ties the types of a command's flags to its run function; run-cli.ts reads exactly these flags before it calls that. */
export function defineCommand<const F extends Flags>(definition: CommandDefinition<F>): CommandDefinition {
  return definition as unknown as CommandDefinition;
}
