package cli

import (
	"context"
	"fmt"

	"github.com/wneessen/go-mail"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/config"
)

// smtp delivers mail by the configured relay, one connection a mail.
type smtp struct{ c config.Mail }

// newMailer returns nil without a relay: there is no mail then.
func newMailer(c config.Mail) accounts.Mailer {
	if c.Host == "" {
		return nil
	}
	return smtp{c}
}

// Send implements [accounts.Mailer].
func (s smtp) Send(ctx context.Context, m accounts.Mail) error {
	msg := mail.NewMsg()
	if err := msg.From(s.c.From); err != nil {
		return fmt.Errorf("mail.from: %w", err)
	}
	if err := msg.To(m.To); err != nil {
		return fmt.Errorf("mail to a user: %w", err)
	}
	msg.Subject(m.Subject)
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	client, err := mail.NewClient(s.c.Host, s.options()...)
	if err != nil {
		return fmt.Errorf("mail relay %s: %w", s.c.Host, err)
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("mail relay %s: %w", s.c.Host, err)
	}
	return nil
}

// hello connects and signs in, and sends nothing.
func (s smtp) hello(ctx context.Context) error {
	client, err := mail.NewClient(s.c.Host, s.options()...)
	if err != nil {
		return err
	}
	if err := client.DialWithContext(ctx); err != nil {
		return err
	}
	return client.Close()
}

func (s smtp) options() []mail.Option {
	options := []mail.Option{mail.WithPort(s.c.Port)}
	switch s.c.TLS {
	case "tls":
		options = append(options, mail.WithSSL())
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.c.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.c.Username), mail.WithPassword(string(s.c.Password)))
	}
	return options
}
