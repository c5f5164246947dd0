import { createGrpcTransport } from "../../../../../src/server/api/grpc-js/index.ts";
import { describeTransport } from "../../../../suites/transport-suite.ts";

describeTransport("@grpc/grpc-js", createGrpcTransport);
