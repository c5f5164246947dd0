// Package conformance holds the promises that a server of the etcd v3 API makes to Go's clientv3. The same cases
// run against MetaStore and against real etcd: METASTORE_ENDPOINT says which (host:port). Cases take keys of their
// own and count revisions from where they start, so a store in use may serve them; two of them compact it.
package conformance
