// Package seal seals the credentials of integrations with XKeys (curve25519) of NATS, and
// keeps the file of the keys. It knows no integration and no NATS server: what is sealed
// is decided in package buckets. Start reading at [Keys].
package seal
