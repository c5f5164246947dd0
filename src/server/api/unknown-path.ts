/** "unknown service X" or "unknown method M for service X", whichever is true of `path`. */
export function unknownPathText(path: string, services: ReadonlySet<string>): string {
  const slash = path.lastIndexOf("/");
  if (path.charCodeAt(0) !== 0x2f || slash <= 0) return `malformed method name: ${JSON.stringify(path)}`;
  const service = path.slice(1, slash);
  return services.has(service)
    ? `unknown method ${path.slice(slash + 1)} for service ${service}`
    : `unknown service ${service}`;
}
