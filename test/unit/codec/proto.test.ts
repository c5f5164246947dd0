import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import type { MethodDefinition, ServiceDefinition } from "@grpc/proto-loader";
import { enumFacts, type FieldFact, messageFacts, methodFacts } from "./etcd-api-facts.ts";
import { packages, protoFiles, protoFolder } from "./reference.ts";

interface FieldDescriptor {
  readonly name: string;
  readonly number: number;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

interface MessageDescriptor {
  readonly field: readonly FieldDescriptor[];
  readonly enumType: readonly EnumDescriptor[];
}

interface EnumDescriptor {
  readonly name: string;
  readonly value: readonly { readonly name: string; readonly number: number }[];
}

const ownPackage = "metastorepb.";
const messageFormat = "Protocol Buffer 3 DescriptorProto";
const enumFormat = "Protocol Buffer 3 EnumDescriptorProto";

describe("proto files", () => {
  it("all load", () => {
    assert.deepEqual(readdirSync(protoFolder).sort(), [...protoFiles]);
    assert.ok(Object.keys(packages).length > 0);
  });

  it("hold every message and field of the etcd API, and no other", () => {
    assert.deepEqual(definitions(messageFormat), [...messageFacts.keys()].sort());
    for (const [name, fields] of messageFacts) {
      const { field } = descriptor(name) as MessageDescriptor;
      assert.deepEqual(field.map(describeField), fields.map(describeFact), name);
    }
  });

  it("hold every enum value of the etcd API, and no other", () => {
    const loaded = new Map(definitions(enumFormat).map((name) => [name, descriptor(name) as EnumDescriptor]));
    for (const message of definitions(messageFormat)) {
      for (const nested of (descriptor(message) as MessageDescriptor).enumType) {
        loaded.set(`${message}.${nested.name}`, nested);
      }
    }
    assert.deepEqual([...loaded.keys()].sort(), [...enumFacts.keys()].sort());
    for (const [name, values] of enumFacts) {
      const loadedValues = loaded.get(name)?.value ?? [];
      assert.deepEqual(
        loadedValues.map((each) => ({ name: each.name, number: each.number })),
        values,
        name,
      );
    }
  });

  it("hold every method of the etcd API, and no other", () => {
    const loaded = new Map(services().flatMap(([, service]) => methodsOf(service)));
    assert.deepEqual([...loaded.keys()].sort(), [...methodFacts.keys()].sort());
    for (const [path, fact] of methodFacts) {
      const method = loaded.get(path);
      assert.ok(method !== undefined);
      assert.deepEqual(
        {
          request: (method.requestType.type as { name: string }).name,
          response: (method.responseType.type as { name: string }).name,
          kind: kindOf(method),
        },
        fact,
        path,
      );
    }
  });

  it("are as many as etcd 3.8 has for its clients", () => {
    const etcd = (name: string): boolean => !name.includes("grpc.health");
    const messages = [...messageFacts].filter(([name]) => etcd(name));
    const enums = [...enumFacts].filter(([name]) => etcd(name));
    assert.equal(messages.length, 117);
    assert.equal(sum(messages.map(([, fields]) => fields.length)), 261);
    assert.equal(enums.length, 10);
    assert.equal(sum(enums.map(([, values]) => values.length)), 33);
    assert.equal([...methodFacts.keys()].filter(etcd).length, 49);
  });
});

function definitions(format: string): string[] {
  return Object.keys(packages)
    .filter((name) => !name.startsWith(ownPackage) && packages[name]?.format === format)
    .sort();
}

function descriptor(name: string): object {
  const definition = packages[name];
  assert.ok(definition !== undefined && "type" in definition, name);
  return definition.type as object;
}

function services(): [string, ServiceDefinition][] {
  return Object.entries(packages).filter(
    (entry): entry is [string, ServiceDefinition] =>
      !("format" in entry[1]) && !entry[0].startsWith(ownPackage),
  );
}

function methodsOf(service: ServiceDefinition): [string, MethodDefinition<object, object>][] {
  return Object.values(service).map((method) => [method.path, method]);
}

function kindOf(method: MethodDefinition<object, object>): string {
  if (method.requestStream) return "bidi-stream";
  return method.responseStream ? "server-stream" : "unary";
}

function describeField(field: FieldDescriptor): string {
  const scalar = field.type.replace("TYPE_", "").toLowerCase();
  const type = field.typeName === "" ? scalar : (field.typeName.split(".").pop() ?? "");
  return `${field.number} ${field.name} ${type}${field.label === "LABEL_REPEATED" ? "*" : ""}`;
}

function describeFact(fact: FieldFact): string {
  return `${fact.number} ${fact.name} ${fact.type}${fact.isRepeated ? "*" : ""}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
