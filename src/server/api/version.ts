/**
 * The versions this server reports.
 *
 * `version` in Maintenance.Status and `etcdserver` in GET /version are read by programs: etcd's clients and tools
 * parse them as semantic versions and switch features by them. So they carry the level of the etcd API that is
 * served, and the product's own version stands beside it.
 */

/** The etcd release whose API this server speaks; major.minor.patch. */
export const ETCD_API_VERSION = "3.6.0";
/** The cluster version that members of this level agree on (GET /version, `etcdcluster`). */
export const CLUSTER_VERSION = "3.6.0";
/** StatusResponse.storageVersion: the level of the stored data's meaning, as etcd counts it. */
export const STORAGE_VERSION = "3.6.0";
/** The version of MetaStore itself; test/unit/server/api/version.test.ts holds it to package.json. */
export const PRODUCT_VERSION = "0.1.0";
