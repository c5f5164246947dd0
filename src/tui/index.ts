/** The live view of a cluster: samples of its members, the model made from them, and the screen that shows it. */
export { advance } from "./advance.ts";
export type { ClusterModel } from "./cluster-model.ts";
export { ClusterObserver, type ObserverOptions } from "./cluster-observer.ts";
export { eventText } from "./panels/events.ts";
export type { LiveScreenEnd, LiveScreenOptions } from "./screen/live-screen.tsx";
export type { Disturbance } from "./screen-state.ts";
export { isHealthy, statusColumns, statusRecord, statusRow } from "./status-report.ts";

import type { LiveScreenEnd, LiveScreenOptions } from "./screen/live-screen.tsx";

/** The live screen. Ink and React are loaded here and nowhere else: they cost half a second. */
export async function openLiveScreen(options: LiveScreenOptions): Promise<LiveScreenEnd> {
  // React's development build is slower and prints warnings into the screen.
  process.env["NODE_ENV"] ??= "production";
  const { runLiveScreen } = await import("./screen/live-screen.tsx");
  return runLiveScreen(options);
}
