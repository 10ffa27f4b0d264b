package jets

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// What a password may hold, each between two parts that can be told again.
func nastyPasswords() []string {
	var all []string
	for c := byte('!'); c <= '~'; c++ {
		all = append(all, "S3C"+string(c)+"R3T", "S3C1"+string(c)+"R3T", "S3C"+string(c)+"R3T.zz")
	}
	for _, a := range ",/#%?@:[]\\ " {
		for _, b := range ",/#%?@:[]\\ " {
			all = append(all, "S3C"+string(a)+"R3T"+string(b)+"S3C", "1"+string(a)+"2"+string(b)+"R3T")
		}
	}
	return append(all, "S3C%2", "S3C%zzR3T", "S3C%41R3T", "12,R3T", "1/R3T", "p@R3T,S3C")
}

// No part of a password is shown, correctly escaped or not, alone or in a list, in an
// error of ours, of nats.go and of the network.
func TestNoPartOfAPasswordIsShown(t *testing.T) {
	var log bytes.Buffer
	for _, p := range nastyPasswords() {
		for _, urls := range []string{
			"nats://svc:" + p + "@127.0.0.1:1",
			"nats://" + p + "@127.0.0.1:1",
			"nats://svc:" + p + "@127.0.0.1:1,nats://svc:" + p + "@127.0.0.1:2",
			"tls://svc:" + p + "@127.0.0.1:1, 127.0.0.1:2",
			"svc:" + p + "@127.0.0.1:1",
		} {
			_, err := Dialer{Log: slog.New(slog.NewTextHandler(&log, nil))}.Connect(t.Context(), urls)
			if err == nil {
				t.Fatalf("%s: connected", urls)
			}
			for _, shown := range []string{Hosts(urls), err.Error(), log.String()} {
				for _, part := range []string{"S3C", "R3T", "svc", "lookup"} {
					if strings.Contains(shown, part) {
						t.Errorf("%s: %q shows %s", urls, shown, part)
					}
				}
			}
		}
	}
}

func TestCheckServers(t *testing.T) {
	for urls, want := range map[string]error{
		"":                                 nil,
		"nats.example.com":                 nil,
		"a:4222, b:4222,":                  nil,
		"nats://u:p@a:4222,nats://u:p@b":   nil,
		"nats://u:p@a:4222,b:4222":         nil,
		"u:p@a":                            nil,
		"nats://t0k3n@a":                   nil,
		"nats://u:p%2C%2F%23%25%3F%40q@a":  nil,
		"nats://u:p@q@a":                   nil, // as Go has it
		"wss://u:p@a/path":                 nil,
		"nats://[::1]:4222":                nil,
		"nats://::1":                       ErrServerURL,
		"http://a:8222":                    ErrServerURL,
		"nats://":                          ErrServerURL,
		"::::":                             ErrServerURL,
		"nats://a:422x":                    ErrServerURL,
		"nats://svc:a,b@host":              ErrUserInfo,
		"nats://svc:1,b@host":              ErrUserInfo,
		"nats://svc:1/b@host":              ErrUserInfo,
		"nats://svc:1#b@host":              ErrUserInfo,
		"nats://svc:1?b@host":              ErrUserInfo,
		"nats://svc:100%b@host":            ErrUserInfo,
		"nats://svc:p@ss,word@host":        ErrUserInfo,
		"nats://a:4222,nats://u:p@b:4222":  ErrUserInfo,
		"nats://u:p@a:4222,u:p,q@b:4222":   ErrUserInfo,
		"nats://u:p@a:4222,nats://u:p/q@b": ErrUserInfo,
	} {
		if err := CheckServers(urls); !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("%s: got %v, want %v", urls, err, want)
		}
	}
}

func TestHosts(t *testing.T) {
	for urls, want := range map[string]string{
		"":                                     "",
		"nats://u:s3cret@a:4222, tls://b:4222": "a:4222, b:4222",
		"s3cret@a:4222,b":                      "a:4222, b",
		"wss://a/path":                         "a",
		"nats://svc:a,b@host:4222":             "host",
		"http://a:8222":                        "a",
		"nats://svc:s3cret":                    "svc", // the host was forgotten
	} {
		if got := Hosts(urls); got != want {
			t.Errorf("%s: got %q, want %q", urls, got, want)
		}
	}
}
