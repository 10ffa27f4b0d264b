// Package keys is the command that makes keys: those by which orgs know this program, and
// those that seal credentials in INTEGRATIONS. It asks no org. Start reading at [New].
package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
)

// New returns the command.
func New(p *cli.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make the keys of service apps, and those that seal credentials",
		Long:  "Make the key by which an org knows this program, or the key that seals credentials in\nINTEGRATIONS.\n\nExamples:\n  signal-client keys okta --instance acme\n  signal-client keys new --out /etc/signal-client/secret.key",
		Args:  cli.KnownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newOkta(p), newNew(p), newRotate(p), newSeal(p))
	return cmd
}

const oktaLong = `Make the key pair of a service app in Okta (OAuth 2.0), which is used instead of an API
token: its tokens live an hour, belong to no admin, and may be bound to the service by
DPoP. The private key is written to a file that only you can read; an existing file is
never overwritten. The public key is printed, to be pasted into Okta, with the steps
there on standard error.

To rotate a key, make another one in another file, add its public half to the app
beside the former one, and then: signal-client integrations set. Remove the former one
in Okta when it is no longer used.

Examples:
  signal-client keys okta --instance acme
  signal-client keys okta --instance acme --out /etc/signal-client/acme.key > acme.jwk`

// steps are what to do after a key is made: %[1]s the file, %[2]s the instance, %[3]s the kid.
const steps = `Wrote the private key to %[1]s. The service must be able to read it on each
machine where it runs.

In Okta's Admin Console:
  1. Applications > Applications > Create App Integration > API Services: give the app a
     name, such as signal-client.
  2. General > Client Credentials > Edit: Public key / Private key, Add key, and paste
     the public key that is printed here. Save.
  3. Okta API Scopes: grant okta.logs.read.
  4. Admin roles > Edit assignments: Read-only Administrator.
DPoP may be required (General > General Settings) or not: both work.

Then:
  signal-client integrations add okta %[2]s --fqdn <host name> --client-id <Client ID> --key-id %[3]s --private-key-file %[1]s
or, if the org is configured already:
  signal-client integrations set %[2]s --client-id <Client ID> --key-id %[3]s --private-key-file %[1]s
  signal-client integrations test %[2]s`

func newOkta(p *cli.Program) *cobra.Command {
	var instance, out string
	cmd := &cobra.Command{
		Use:   "okta",
		Short: "Make the key of a service app in Okta",
		Long:  oktaLong,
		Args:  cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if !slug.MatchString(instance) {
				return problem.Usage(fmt.Sprintf("--instance %q", instance), "it is the name of no integration", "--instance acme: 1 to 63 lower-case letters, digits and hyphens")
			}
			if out == "" {
				out = instance + ".key"
			}
			path, err := filepath.Abs(out)
			if err != nil {
				return err
			}
			key, err := makeKey(instance, path)
			if err != nil {
				return err
			}
			public, err := json.MarshalIndent(key.Public(), "", "  ")
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(p.Out(), "%s\n", public); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.Err(), "\n"+steps+"\n", path, instance, key.KeyID)
			return err
		},
	}
	cmd.Flags().StringVar(&instance, "instance", "", "`name` of the integration that the key is for")
	cmd.Flags().StringVar(&out, "out", "", "`file` for the private key (default <instance>.key)")
	_ = cmd.MarkFlagFilename("out")
	_ = cmd.RegisterFlagCompletionFunc("instance", cli.CompleteInstances(0))
	return cmd
}

var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// bits is the size of the keys that Okta itself makes.
const bits = 2048

// makeKey makes a key, named after its instance and its own content, and writes it.
func makeKey(instance, path string) (jose.JSONWebKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	key := jose.JSONWebKey{Key: private, Algorithm: string(jose.RS256), Use: "sig"}
	print, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	key.KeyID = instance + "-" + base64.RawURLEncoding.EncodeToString(print[:6])
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	return key, write(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// write creates a file that only its owner can read. What is there stays; a file that can't
// be written whole is removed.
func write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &problem.Error{Op: "write the private key to " + path, Err: errors.New("the file exists, and a key is never overwritten"),
			Hint: "--out <another file>", Code: problem.Failed}
	}
	if err != nil {
		return &problem.Error{Op: "write the private key", Err: err, Hint: "--out <a file that can be written>", Code: problem.Failed}
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the private key to %s: %w", path, err), os.Remove(path))
	}
	return nil
}
