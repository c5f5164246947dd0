/** What clients see of an answer: its key values without what the records behind them have besides. */
export function asSeen<T>(answer: T): T {
  if (Array.isArray(answer)) return answer.map(asSeen) as T;
  if (typeof answer !== "object" || answer === null) return answer;
  const fields = Object.entries(answer).filter(([name]) => name !== "sub" && name !== "tombstone");
  return Object.fromEntries(fields.map(([name, value]) => [name, asSeen(value)])) as T;
}
