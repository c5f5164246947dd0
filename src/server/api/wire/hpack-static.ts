/** RFC 7541 appendix A: the names, those with a value followed by a space and the value. */
const rows = [
  ":authority",
  ":method GET",
  ":method POST",
  ":path /",
  ":path /index.html",
  ":scheme http",
  ":scheme https",
  ":status 200",
  ":status 204",
  ":status 206",
  ":status 304",
  ":status 400",
  ":status 404",
  ":status 500",
  "accept-charset",
  "accept-encoding gzip, deflate",
  "accept-language",
  "accept-ranges",
  "accept",
  "access-control-allow-origin",
  "age",
  "allow",
  "authorization",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "etag",
  "expect",
  "expires",
  "from",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "link",
  "location",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authorization",
  "range",
  "referer",
  "refresh",
  "retry-after",
  "server",
  "set-cookie",
  "strict-transport-security",
  "transfer-encoding",
  "user-agent",
  "vary",
  "via",
  "www-authenticate",
];

/** How many entries there are; the index after them is the newest entry of the dynamic table. */
export const STATIC_COUNT = rows.length;
/** What an entry costs beyond its name and value, in the table (RFC 7541 section 4.1) and in a list. */
export const ENTRY_OVERHEAD_BYTES = 32;

/** By index, which begins at 1. */
export const staticNames: readonly string[] = ["", ...rows.map((row) => row.split(" ", 1)[0]!)];
export const staticValues: readonly string[] = [
  "",
  ...rows.map((row, index) => row.slice(staticNames[index + 1]!.length + 1)),
];

/** The first index of each name. */
export const staticIndexOf: ReadonlyMap<string, number> = new Map(
  staticNames.map((name, index) => [name, index] as const).reverse(),
);
