package notify

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/wneessen/go-mail"

	"github.com/witfoo/signal-client/sink/buckets"
)

// sendEmail sends an advisory by SMTP. Without TLS no password is sent, except to this
// machine.
func sendEmail(ctx context.Context, c buckets.Channel, a Advisory) (answer string, err error) {
	m := mail.NewMsg()
	if err := m.From(c.From); err != nil {
		return "", err
	}
	if err := m.To(c.To...); err != nil {
		return "", err
	}
	m.Subject("signal-client " + a.title())
	m.SetDateWithValue(a.At)
	m.SetMessageID()
	m.SetBodyString(mail.TypeTextPlain, a.Message+"\n\n"+string(a.Data)+"\n")
	client, hangUp, err := mailClient(ctx, c)
	if err != nil {
		return "", err
	}
	defer hangUp()
	if err := client.DialAndSendWithContext(ctx, m); err != nil {
		return "", fmt.Errorf("send mail by %s: %w", c.SMTP, err)
	}
	return c.SMTP + " took it", nil
}

// mailClient returns a client for one mail, and what closes its connection: the client
// leaves it open when it gives up before the first command.
func mailClient(ctx context.Context, c buckets.Channel) (client *mail.Client, hangUp func(), err error) {
	host, port, err := net.SplitHostPort(c.SMTP)
	if err != nil {
		return nil, nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, nil, fmt.Errorf("smtp: %q is no port", port)
	}
	var conn net.Conn
	hangUp = func() {
		if conn != nil {
			_ = conn.Close()
		}
	}
	options := []mail.Option{mail.WithPort(number), mail.WithTimeout(sendTime), mail.WithTLSPolicy(mail.TLSMandatory)}
	switch c.TLS {
	case "tls":
		options = append(options, mail.WithSSL())
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
		fallthrough
	default:
		options = append(options, mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			var err error
			conn, err = new(net.Dialer).DialContext(ctx, network, address)
			return conn, err
		}))
	}
	if c.User != "" {
		password, err := secretFile(ctx, c, c.PasswordFile)
		if err != nil {
			return nil, nil, fmt.Errorf("read password_file: %w", err)
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.User), mail.WithPassword(password))
	}
	client, err = mail.NewClient(host, options...)
	return client, hangUp, err
}
