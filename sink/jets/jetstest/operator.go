package jetstest

import (
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// operator is whom a server trusts that has its accounts from JWTs, as managed ones have.
type operator struct {
	claims     *jwt.OperatorClaims
	resolver   *server.MemAccResolver
	system     string // key of the system account, without which JetStream does not start
	user, seed string // of a client
}

// newOperator makes an operator with one account, which has JetStream.
func newOperator(t testing.TB, change func(*jwt.AccountClaims)) *operator {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatalf("make the test's operator: %v", err)
		}
	}
	pair := func(made nkeys.KeyPair, err error) (nkeys.KeyPair, string) {
		t.Helper()
		check(err)
		public, err := made.PublicKey()
		check(err)
		return made, public
	}
	root, rootKey := pair(nkeys.CreateOperator())
	_, systemKey := pair(nkeys.CreateAccount())
	account, accountKey := pair(nkeys.CreateAccount())
	user, userKey := pair(nkeys.CreateUser())

	claims := jwt.NewAccountClaims(accountKey)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	change(claims)
	accountJWT, err := claims.Encode(root)
	check(err)
	systemJWT, err := jwt.NewAccountClaims(systemKey).Encode(root)
	check(err)
	o := &operator{claims: jwt.NewOperatorClaims(rootKey), resolver: new(server.MemAccResolver), system: systemKey}
	_, err = o.claims.Encode(root)
	check(err)
	check(o.resolver.Store(accountKey, accountJWT))
	check(o.resolver.Store(systemKey, systemJWT))
	o.user, err = jwt.NewUserClaims(userKey).Encode(account)
	check(err)
	seed, err := user.Seed()
	check(err)
	o.seed = string(seed)
	return o
}

func (o *operator) configure(opts *server.Options) {
	opts.TrustedOperators, opts.AccountResolver = []*jwt.OperatorClaims{o.claims}, o.resolver
	opts.SystemAccount = o.system
}
