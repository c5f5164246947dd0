import { engineSuite } from "../../../suites/engine-suite.ts";
import { createLoadingEngine } from "./loading-engine.ts";

engineSuite("LoadingEngine", createLoadingEngine, 100);
