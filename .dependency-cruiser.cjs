// The stack of docs/ARCHITECTURE.md as a check: imports point down, folders are entered by their door, the core
// touches neither Node nor npm.
const floors = [
  ["lib", "^src/lib/"],
  ["codec", "^src/codec/"],
  ["raft", "^src/server/raft/"],
  ["storage", "^src/server/storage/"],
  ["mvcc", "^src/server/mvcc/"],
  ["lease", "^src/server/lease/"],
  ["state", "^src/server/state/"],
  ["node", "^src/server/node/"],
  ["peer", "^src/server/peer/"],
  ["api", "^src/server/api/"],
  ["server", "^src/server/[^/]+\\.ts$"],
];
const users = "^src/(client|cli|tui|playground|commands|index\\.ts)";

const upward = floors.map(([name, path], floor) => ({
  name: `no-up-from-${name}`,
  comment: "a floor imports only floors below it",
  severity: "error",
  from: { path },
  to: { path: [...floors.slice(floor + 1).map(([, above]) => above), users] },
}));

const doors = ["codec", "server/raft", "server/storage", "server/mvcc", "server/lease", "server/state", "server/node", "server/peer", "server/api", "client", "tui", "playground"].map(
  (folder) => ({
    name: `door-of-${folder.replace("/", "-")}`,
    comment: "a folder is imported only through its index.ts",
    severity: "error",
    from: { path: "^src/", pathNot: `^src/${folder}/` },
    to: { path: `^src/${folder}/`, pathNot: `^src/${folder}/(index\\.ts$${folder === "server/api" ? "|transport\\.ts$|http/index\\.ts$|grpc-js/index\\.ts$|wire/index\\.ts$|services/index\\.ts$" : ""})` },
  }),
);

module.exports = {
  forbidden: [
    ...upward,
    ...doors,
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "server-door",
      comment: "users of the server enter by server/index.ts (its flag table by server/config.ts)",
      severity: "error",
      from: { path: users },
      to: { path: "^src/server/", pathNot: "^src/server/index\\.ts$" },
    },
    {
      name: "only-commands-see-server",
      severity: "error",
      from: { path: "^src/(client|cli|tui|playground)/" },
      to: { path: "^src/server/" },
    },
    {
      name: "client-below-cli",
      severity: "error",
      from: { path: "^src/client/" },
      to: { path: "^src/(cli|tui|playground|commands)/" },
    },
    { name: "cli-below-commands", severity: "error", from: { path: "^src/(cli|tui|playground)/" }, to: { path: "^src/commands/" } },
    {
      name: "ink-in-the-screen",
      comment: "Ink and React cost half a second of start: the screen alone has them",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/tui/screen/" },
      to: { path: "^(node_modules/)?(ink|react)(/|$)" },
    },
    {
      name: "screen-when-needed",
      comment: "the screen is imported when it is opened, not at start",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/tui/screen/" },
      to: { path: "^src/tui/screen/", dynamic: false, dependencyTypesNot: ["type-only"] },
    },
    {
      name: "pure-core",
      comment: "raft, mvcc, lease and state know neither Node nor npm",
      severity: "error",
      from: { path: "^src/server/(raft|mvcc|lease|state)/" },
      to: { dependencyTypes: ["core", "npm"] },
    },
    {
      name: "one-fs",
      severity: "error",
      from: { path: "^src/(lib|codec|server)/", pathNot: ["^src/lib/fs\\.ts$"] },
      to: { path: "^(node:)?fs(/promises)?$" },
    },
    { name: "no-orphans", severity: "error", from: { orphan: true, path: "^src/", pathNot: "^src/(commands/|index\\.ts)" }, to: {} },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { extensions: [".ts", ".tsx", ".js"] },
  },
};
