import { setTimeout as sleep } from "node:timers/promises";

/** Tries again every 100 ms until `attempt` does not reject; throws its last error after `limitMs`. */
export async function patiently<T>(limitMs: number, attempt: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() >= deadlineMs) throw error;
      await sleep(100);
    }
  }
}

/** Waits until `holds` answers something; throws after `limitMs`. */
export async function until<T>(
  title: string,
  limitMs: number,
  holds: () => Promise<T | undefined> | T | undefined,
  periodMs = 20,
): Promise<T> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const answer = await holds();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() >= deadlineMs) throw new Error(`not within ${limitMs} ms: ${title}`);
    await sleep(periodMs);
  }
}
