import type { Tone } from "./styled-line.ts";

/** Something worth telling. */
export interface ClusterEvent {
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number;
  /** The member's name; undefined when it is about the cluster. */
  readonly member: string | undefined;
  readonly text: string;
  readonly tone: Tone;
}
