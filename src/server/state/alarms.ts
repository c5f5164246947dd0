import { type AlarmMember, type AlarmRequest, alarmAction, alarmType } from "../../codec/index.ts";

/** The replicated alarms: (member, type) pairs, in the order they were raised. */
export class Alarms {
  readonly #active = new Map<string, AlarmMember>();

  /**
   * Applies a request and returns what etcd answers: the alarm that was raised or cleared, none when that changed
   * nothing to clear; for a get all of the type asked for (NONE = all).
   */
  apply(request: AlarmRequest): AlarmMember[] {
    const alarm: AlarmMember = { memberId: request.memberId, alarm: request.alarm };
    switch (request.action) {
      case alarmAction.activate:
        if (request.alarm === alarmType.none) return [];
        this.#active.set(nameOf(alarm), alarm);
        return [alarm];
      case alarmAction.deactivate:
        return this.#active.delete(nameOf(alarm)) ? [alarm] : [];
      default:
        return this.list().filter((each) => request.alarm === alarmType.none || each.alarm === request.alarm);
    }
  }

  isActive(type: number): boolean {
    for (const alarm of this.#active.values()) if (alarm.alarm === type) return true;
    return false;
  }

  list(): AlarmMember[] {
    return [...this.#active.values()];
  }

  restore(alarms: readonly AlarmMember[]): void {
    this.#active.clear();
    for (const alarm of alarms) this.#active.set(nameOf(alarm), alarm);
  }
}

function nameOf(alarm: AlarmMember): string {
  return `${alarm.memberId}:${alarm.alarm}`;
}
