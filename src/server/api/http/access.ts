import type { RequestHandler } from "express";
import { sendPlainError } from "./errors.ts";

/**
 * Cross-origin headers as etcd sends them (etcd http.md section 4). `origins`: "*" allows all, an empty list sends
 * no headers at all. Preflights are answered here.
 */
export function corsHeaders(origins: readonly string[]): RequestHandler {
  const allowed = new Set(origins);
  return (req, res, next) => {
    if (allowed.size > 0) {
      const origin = req.headers.origin;
      if (allowed.has("*")) res.setHeader("Access-Control-Allow-Origin", "*");
      else res.setHeader("Vary", "Origin");
      const isAllowed = allowed.has("*") || (origin !== undefined && allowed.has(origin));
      if (isAllowed) {
        if (!allowed.has("*") && origin !== undefined) res.setHeader("Access-Control-Allow-Origin", origin);
        res.setHeader("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE");
        res.setHeader("Access-Control-Allow-Headers", "accept, content-type, authorization");
      }
    }
    if (req.method !== "OPTIONS") {
      next();
      return;
    }
    res.setHeader("Content-Length", "0");
    res.statusCode = 200;
    res.end();
  };
}

/**
 * Refuses requests whose Host is not listed, so that a web page cannot reach this server through a name of its own
 * that it points here (DNS rebinding). "*" lists all. Requests over TLS are exempt: the certificate names the host.
 */
export function hostCheck(hosts: readonly string[]): RequestHandler {
  const allowed = new Set(hosts.map((host) => host.toLowerCase()));
  return (req, res, next) => {
    const host = hostName(req.headers.host ?? "");
    if (allowed.has("*") || allowed.has(host)) {
      next();
      return;
    }
    sendPlainError(
      res,
      421,
      `the host "${host}" is not in --host-whitelist; requests for unlisted hosts are refused because of DNS ` +
        "rebinding (CVE-2018-5702)",
    );
  };
}

function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d*$/, "")).toLowerCase();
}
