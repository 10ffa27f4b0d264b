package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those by which Okta accepts assertions.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

// leastRSA is the size in bits of the smallest RSA key for these algorithms (RFC 7518).
const leastRSA = 2048

// Check reports what is wrong with the credential, in words that show nothing of the key.
func (a App) Check() error {
	_, err := a.signingKey()
	return err
}

// Public returns the public half of the key. Its errors are those of Check.
func (a App) Public() (crypto.PublicKey, error) {
	key, err := a.signingKey()
	if err != nil {
		return nil, err
	}
	whole := key.Key.(jose.JSONWebKey)
	public := whole.Public()
	return public.Key, nil
}

// signingKey returns the key with its algorithm and kid.
func (a App) signingKey() (jose.SigningKey, error) {
	key, err := privateKey(a.Key.Reveal())
	if err != nil {
		return jose.SigningKey{}, err
	}
	if a.KeyID != "" {
		key.KeyID = a.KeyID
	}
	if key.KeyID == "" {
		return jose.SigningKey{}, errors.New("names no key id (write it as credentials.key_id, as Okta shows it beside the public key)")
	}
	algorithm := jose.SignatureAlgorithm(key.Algorithm)
	fits, err := fitting(key.Key)
	switch {
	case err != nil:
		return jose.SigningKey{}, err
	case algorithm == "":
		algorithm = fits[0]
	case !slices.Contains(fits, algorithm):
		return jose.SigningKey{}, fmt.Errorf("is for the algorithm %.20q (write a key for RS256, RS384, RS512, ES256, ES384 or ES512)", key.Algorithm)
	}
	return jose.SigningKey{Algorithm: algorithm, Key: key}, nil
}

// fitting returns the algorithms that a private key is for.
func fitting(key any) ([]jose.SignatureAlgorithm, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < leastRSA {
			return nil, fmt.Errorf("is an RSA key of %d bits (write one of 2048 or more)", key.N.BitLen())
		}
		return algorithms[:3], nil
	case *ecdsa.PrivateKey:
		switch key.Curve {
		case elliptic.P256():
			return algorithms[3:4], nil
		case elliptic.P384():
			return algorithms[4:5], nil
		case elliptic.P521():
			return algorithms[5:], nil
		}
	}
	return nil, errors.New("is of another kind (write an RSA key, or an EC key on P-256, P-384 or P-521)")
}

// privateKey reads a PEM block or a JWK.
func privateKey(text string) (jose.JSONWebKey, error) {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if strings.HasPrefix(text, "{") {
		return jwk(text)
	}
	block, err := pemBlock(text)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	var key any
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return jose.JSONWebKey{}, errors.New("is a PEM block that can't be read as a private key (save the key anew, as PKCS #8)")
	}
	return jose.JSONWebKey{Key: key}, nil
}

// pemBlock returns the first block that may be a key; an EC key may follow its parameters.
func pemBlock(text string) (*pem.Block, error) {
	rest := []byte(text)
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil:
			return nil, errors.New("is neither PEM nor a JWK, or is cut short (write the private key, with its lines BEGIN and END)")
		case block.Type == "EC PARAMETERS":
			continue
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, errors.New("is encrypted (write it without its passphrase: openssl pkey -in <file> -out <file>)")
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil, fmt.Errorf("is a %.30s (write the private key)", strings.ToLower(block.Type))
		}
		return block, nil
	}
}

func jwk(text string) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON([]byte(text)); err != nil || !key.Valid() {
		return key, errors.New("is no valid JWK (write one private key, an object with the members kty, kid and d)")
	}
	if key.IsPublic() {
		return key, errors.New("is a public key (write the private key)")
	}
	return key, nil
}

// Form reports what is wrong with the form of a private key's text, without reading the key
// itself, which takes longer.
func Form(text string) error {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	switch {
	case text == "":
		return errors.New("is empty (write the app's private key)")
	case strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}"):
		return nil
	}
	_, err := pemBlock(text)
	return err
}
