import { MemoryEngine } from "../../../../src/server/storage/index.ts";
import { watchHubSuite } from "../../../suites/watch-hub-suite.ts";
import { createLoadingEngine } from "./loading-engine.ts";

const runs = Number(process.env["WATCH_PROPERTY_RUNS"] ?? 400);

watchHubSuite("MemoryEngine", () => ({ engine: new MemoryEngine() }), runs);
watchHubSuite("LoadingEngine", createLoadingEngine, runs);
