import { createWireTransport } from "../../../../../src/server/api/wire/index.ts";
import { describeTransport } from "../../../../suites/transport-suite.ts";

describeTransport("Our own HTTP/2", createWireTransport);
