package buckets

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// xkeys are keys of a test, by which it can be shown what another program would do.
type xkeys struct {
	mu      sync.Mutex
	pairs   []nkeys.KeyPair
	changed chan struct{}
}

func newKeys(t *testing.T) *xkeys {
	t.Helper()
	k := &xkeys{changed: make(chan struct{})}
	k.rotate(t)
	return k
}

// rotate puts a new key before the others.
func (k *xkeys) rotate(t *testing.T) {
	t.Helper()
	pair, err := nkeys.CreateCurveKeys()
	if err != nil {
		t.Fatal(err)
	}
	k.set(append([]nkeys.KeyPair{pair}, k.pairs...))
}

func (k *xkeys) set(pairs []nkeys.KeyPair) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pairs = pairs
	close(k.changed)
	k.changed = make(chan struct{})
}

func (k *xkeys) Seal(data []byte) (string, error) {
	public, err := k.pairs[0].PublicKey()
	if err != nil {
		return "", err
	}
	box, err := k.pairs[0].Seal(data, public)
	return "x1." + base64.RawURLEncoding.EncodeToString(box), err
}

func (k *xkeys) Open(sealed string) ([]byte, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	box, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(sealed, "x1."))
	for n, pair := range k.pairs {
		public, _ := pair.PublicKey()
		if data, err := pair.Open(box, public); err == nil {
			return data, n == 0, nil
		}
	}
	return nil, false, errors.Join(err, errors.New("no key opens it"))
}

func (k *xkeys) Changed() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed
}

// sealedBucket is a server with the stores of a process that has keys, and of one that has
// none.
type sealedBucket struct {
	*testing.T
	keys          *xkeys
	keyed, others *Integrations
}

func newSealedBucket(t *testing.T) *sealedBucket {
	t.Helper()
	s := jetstest.Run(t)
	b := &sealedBucket{T: t, keys: newKeys(t)}
	b.keyed = &Integrations{Store: sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds, Secrets: pipeline.Secrets{Keys: b.keys}})}
	b.others = &Integrations{Store: sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})}
	return b
}

// stored returns the values that the bucket keeps of acme, as they are stored.
func (b *sealedBucket) stored() (values []string) {
	b.Helper()
	err := b.others.Store.Conn.Each(b.Context(), jets.BucketIntegrations, "okta.acme", true, func(e jets.KVEntry) {
		values = append(values, string(e.Value))
	})
	if err != nil {
		b.Fatal(err)
	}
	return values
}

func (b *sealedBucket) put(value string) {
	b.Helper()
	sinktest.Put(b.T, b.others.Store, jets.BucketIntegrations, "okta.acme", value)
}

func (b *sealedBucket) get(all *Integrations) Written {
	b.Helper()
	w, err := all.Get(b.Context(), "acme")
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// token returns the token that a process polls acme with.
func (b *sealedBucket) token(all *Integrations) (string, error) {
	b.Helper()
	i, err := b.get(all).Read()
	if err != nil {
		b.Fatal(err)
	}
	c, err := i.Kind.Credential(b.Context(), i)
	if err != nil {
		return "", err
	}
	return c.(pipeline.Secret).Reveal(), nil
}

const plain = `{"settings":{"fqdn":"acme.okta.com","filter":"a < b"},"x":{"of":"others"},"credentials":{"api_token":"00abc","y":1}}`

// What is written is sealed, whole, and opened by whoever has the key; others can't poll
// it, and know why.
func TestPutSeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSealedBucket(t)
		if _, err := b.keyed.Put(t.Context(), "acme", []byte(plain), 0); err != nil {
			t.Fatal(err)
		}
		var raw struct {
			Credentials map[string]string
			X           any
		}
		stored := b.stored()[0]
		if err := json.Unmarshal([]byte(stored), &raw); err != nil || len(raw.Credentials) != 1 || strings.Contains(stored, "00abc") || raw.X == nil || !strings.Contains(stored, "a < b") {
			t.Errorf("stored is %s, %v", stored, err)
		}
		data, first, err := b.keys.Open(raw.Credentials["sealed"])
		if string(data) != `{"api_token":"00abc","origin":"https://acme.okta.com","y":1}` || !first {
			t.Errorf("sealed is %s, %v", data, err)
		}
		w := b.get(b.keyed)
		if token, err := b.token(b.keyed); token != "00abc" || w.Sealing != SealFirst || !strings.Contains(string(w.Value), `{"api_token":"00abc","y":1}`) {
			t.Errorf("opened is %s %s, %v", w.Value, w.Sealing, err)
		}
		token, err := b.token(b.others)
		if token != "" || !errors.Is(err, pipeline.ErrConfig) || !strings.Contains(fmt.Sprint(err), "SIGNAL_CLIENT_SECRET_KEY_FILE") || b.get(b.others).Sealing != SealShut {
			t.Errorf("without the key: %q, %v", token, err)
		}
		b.keys.set(newKeys(t).pairs)
		if token, err := b.token(b.keyed); token != "" || !errors.Is(err, pipeline.ErrConfig) {
			t.Errorf("with another key: %q, %v", token, err)
		}
	})
}

// A value without a secret, and an invalid one, is stored as it is.
func TestPutSealsSecretsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSealedBucket(t)
		revision := uint64(0)
		for _, value := range []string{
			`{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token_file":"/run/t","api_token":null}}`,
			`{"settings":{"fqdn":"acme.okta.com"},"enabled":false}`,
			`{"settings":{"fqdn":"no host"},"credentials":{"api_token":"00abc"}}`,
			`{"settings":{"fqdn":"acme.okta.com"},"credentials":"00abc"}`,
			`no object`,
		} {
			var err error
			if revision, err = b.keyed.Put(t.Context(), "acme", []byte(value), revision); err != nil {
				t.Fatal(err)
			}
			if all := b.stored(); all[len(all)-1] != value {
				t.Errorf("%s is stored as %s", value, all[len(all)-1])
			}
		}
	})
}

// A plain credential of another writer is sealed in place: those who poll it see no change
// and nobody sees that it was deleted; the bucket keeps no former value with it.
func TestSealInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSealedBucket(t)
		b.put(strings.Replace(plain, "00abc", "00old", 1))
		b.put(strings.Replace(plain, "api_token", "api_token_file", 1))
		b.put(plain)
		kv, err := b.others.Store.Conn.JS.KeyValue(t.Context(), jets.BucketIntegrations)
		if err != nil {
			t.Fatal(err)
		}
		foreign, err := kv.Watch(t.Context(), "okta.acme", jetstream.UpdatesOnly())
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		var told []map[string]pipeline.Entry
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			watch := &Integrations{Store: b.keyed.Store, Plain: func(instance string) { found = append(found, instance) }}
			_ = watch.Watch(ctx, func(entries map[string]pipeline.Entry) { told = append(told, entries) })
		})
		synctest.Wait()
		before := b.get(b.keyed)
		if before.Sealing != SealPlain {
			t.Fatalf("the value is %s", before.Sealing)
		}
		if err := b.keyed.Seal(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if fmt.Sprint(found) != "[acme]" {
			t.Errorf("found in plain: %v", found)
		}
		for _, entries := range told {
			if !reflect.DeepEqual(entries, told[0]) || len(entries) != 1 {
				t.Errorf("told %+v, then %+v", told[0], entries)
			}
		}
		if update := <-foreign.Updates(); update.Operation() != jetstream.KeyValuePut || len(told) < 2 {
			t.Errorf("other programs see a %s; told %d times", update.Operation(), len(told))
		}
		if all := b.stored(); len(all) != 1 || strings.Contains(all[0], "00abc") {
			t.Errorf("kept are %s", all)
		}
		if token, err := b.token(b.keyed); token != "00abc" {
			t.Errorf("%q, %v", token, err)
		}
		if err := b.keyed.Seal(t.Context(), before); !errors.Is(err, pipeline.ErrChanged) {
			t.Errorf("a second process sealed what it had read before: %v", err)
		}
	})
}

// An edit that removes a plain token removes the former values with it, too; edits of what
// was sealed keep them.
func TestFormerValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSealedBucket(t)
		b.put(plain)
		revision := b.get(b.keyed).Revision
		for n, want := range []int{1, 2, 3} {
			value := fmt.Sprintf(`{"settings":{"fqdn":"acme.okta.com","limit":%d},"credentials":{"api_token_file":"/run/t"}}`, n+1)
			if n == 1 {
				value = plain
			}
			var err error
			if revision, err = b.keyed.Put(t.Context(), "acme", []byte(value), revision); err != nil {
				t.Fatal(err)
			}
			if all := b.stored(); len(all) != want || strings.Contains(fmt.Sprint(all), "00abc") {
				t.Errorf("kept are %s", all)
			}
		}
	})
}

// Sealed credentials are for the origin that they were sealed for: a copy under another
// host is not opened.
func TestCopiedToAnotherHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSealedBucket(t)
		if _, err := b.keyed.Put(t.Context(), "acme", []byte(plain), 0); err != nil {
			t.Fatal(err)
		}
		sealed := b.stored()[0]
		for _, edit := range []*strings.Replacer{
			strings.NewReplacer("acme.okta.com", "globex.okta.com"),
			strings.NewReplacer(`"fqdn":"acme.okta.com"`, `"base_url":"https://globex.okta.com","fqdn":"acme.okta.com"`),
			strings.NewReplacer(`"fqdn":"acme.okta.com"`, `"base_url":"http://127.0.0.1:1","fqdn":"acme.okta.com"`),
		} {
			b.put(edit.Replace(sealed))
			w := b.get(b.keyed)
			if token, err := b.token(b.keyed); token != "" || !strings.Contains(fmt.Sprint(err), "sealed for https://acme.okta.com") || strings.Contains(string(w.Value), "00abc") {
				t.Errorf("%s: %q, %v", w.Value, token, err)
			}
		}
		b.put(strings.Replace(sealed, "acme.okta.com", "no host", 1))
		if w := b.get(b.keyed); strings.Contains(string(w.Value), "00abc") {
			t.Errorf("an invalid value was opened: %s", w.Value)
		}
		b.put(strings.Replace(sealed, `"a < b"`, `"c"`, 1))
		if token, err := b.token(b.keyed); token != "00abc" {
			t.Errorf("under its own host: %q, %v", token, err)
		}
	})
}

// The password of a proxy is not sent to another one.
func TestCopiedToAnotherProxy(t *testing.T) {
	b := newSealedBucket(t)
	value := `{"settings":{"fqdn":"acme.okta.com","proxy":"http://svc@proxy.acme.com:3128"},"credentials":{"api_token":"00abc","proxy_password":"99pass"}}`
	if _, err := b.keyed.Put(t.Context(), "acme", []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	if i, err := b.get(b.keyed).Read(); err != nil || i.ProxyPassword.Reveal() != "99pass" {
		t.Fatalf("through its own proxy: %v", err)
	}
	sealed := b.stored()[0]
	b.put(strings.Replace(sealed, "proxy.acme.com", "proxy.evil.com", 1))
	if token, err := b.token(b.keyed); token != "" || !strings.Contains(fmt.Sprint(err), "sealed for http://svc@proxy.acme.com:3128") {
		t.Errorf("through another proxy: %q, %v", token, err)
	}
}

// What another writer puts beside sealed credentials is newer than they are, and is sealed
// with them; without their key it stays.
func TestBesideSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSealedBucket(t)
		if _, err := b.keyed.Put(t.Context(), "acme", []byte(plain), 0); err != nil {
			t.Fatal(err)
		}
		b.put(strings.Replace(b.stored()[0], `{"sealed"`, `{"api_token":"00new","sealed"`, 1))
		w := b.get(b.keyed)
		if token, err := b.token(b.keyed); token != "00new" || w.Sealing != SealPlain {
			t.Errorf("%q %s, %v", token, w.Sealing, err)
		}
		if err := b.keyed.Seal(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if all := b.stored(); len(all) != 1 || strings.Contains(all[0], "00new") || !strings.Contains(string(b.get(b.keyed).Value), `{"api_token":"00new","y":1}`) {
			t.Errorf("stored are %s", all)
		}
		b.put(strings.Replace(b.stored()[0], `{"sealed"`, `{"api_token":"00newer","sealed"`, 1))
		b.keys.set(newKeys(t).pairs)
		if w := b.get(b.keyed); w.Sealing != SealPlain || w.Shut == "" || !strings.Contains(string(w.Value), `"sealed"`) {
			t.Errorf("beside what no key opens: %+v", w)
		}
	})
}

// A process that gets the key follows: it reads what it could not open again.
func TestWatchFollowsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSealedBucket(t)
		if _, err := b.keyed.Put(t.Context(), "acme", []byte(plain), 0); err != nil {
			t.Fatal(err)
		}
		later := newKeys(t)
		b.others.Store.Secrets.Keys = later
		w := watching(t, b.others.Store, nil)
		entries, _ := w.told()
		if i := entries["acme"].Integration; i.Sealed == "" || !i.Token.IsZero() {
			t.Fatalf("without the key: %+v", i)
		}
		later.set(b.keys.pairs)
		time.Sleep(time.Second)
		entries, _ = w.told()
		if i := entries["acme"].Integration; i.Sealed != "" || i.Token.Reveal() != "00abc" {
			t.Errorf("with the key: %+v", i)
		}
		former := b.keys.pairs
		b.keys.rotate(t)
		if err := b.keyed.Seal(t.Context(), b.get(b.keyed)); err != nil {
			t.Fatal(err)
		}
		if w := b.get(b.keyed); w.Sealing != SealFirst {
			t.Errorf("with the new key it is %s", w.Sealing)
		}
		later.set(former)
		time.Sleep(time.Second)
		if entries, _ := w.told(); entries["acme"].Integration.Sealed == "" {
			t.Error("it is not sealed again with the new key")
		}
	})
}

// What another writer put at the top level, or wholly into credentials, is read; what we
// write has it in its place, and sealed.
func TestElsewhere(t *testing.T) {
	b := newSealedBucket(t)
	for _, value := range []string{
		`{"fqdn":"acme.okta.com","api_token":"00abc"}`,
		`{"credentials":{"fqdn":"acme.okta.com","api_token":"00abc"}}`,
	} {
		b.put(value)
		for _, all := range []*Integrations{b.keyed, b.others} {
			if token, err := b.token(all); err != nil || token != "00abc" {
				t.Fatalf("%s is read as %q, %v", value, token, err)
			}
			if w := b.get(all); len(w.Moved) == 0 || w.Sealing != SealPlain {
				t.Errorf("%s moved %q, sealing %q", value, w.Moved, w.Sealing)
			}
		}
		if i, _ := b.get(b.others).Read(); i.Origin != "https://acme.okta.com" {
			t.Errorf("%s is of %s", value, i.Origin)
		}
		w := b.get(b.keyed)
		if _, err := b.keyed.Put(t.Context(), "acme", w.Value, w.Revision); err != nil {
			t.Fatal(err)
		}
		if stored := b.stored(); len(stored) != 1 || strings.Contains(stored[0], "00abc") || !strings.Contains(stored[0], `"settings":{"fqdn":"acme.okta.com"}`) {
			t.Errorf("%s is stored as %q", value, stored)
		}
		if token, err := b.token(b.keyed); err != nil || token != "00abc" {
			t.Errorf("%s is opened as %q, %v", value, token, err)
		}
	}
}
