package accounts

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Mail is a message to one person, in plain text.
type Mail struct {
	To      string // an address that [ParseEmail] accepts
	Subject string
	Text    string
}

// Mailer delivers mail. Send may be called from several goroutines at once.
type Mailer interface {
	// Send hands m over for delivery; an error means that it was not taken.
	Send(ctx context.Context, m Mail) error
}

// logMailer writes mails to the log, for development only: they hold links that
// open accounts.
type logMailer struct{ log *slog.Logger }

func (l logMailer) Send(ctx context.Context, m Mail) error {
	l.log.InfoContext(ctx, "mail", "to", m.To, "subject", m.Subject, "text", m.Text)
	return nil
}

// mailTimeout bounds how long one mail may take.
const mailTimeout = time.Minute

// later does work that sends mail after the request is answered, so that the
// answer takes as long whether or not there is anybody to write to. Wait waits
// for it.
func (a *Accounts) later(ctx context.Context, what string, work func(ctx context.Context) error) {
	ctx = context.WithoutCancel(ctx)
	a.mails.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, mailTimeout)
		defer cancel()
		if err := work(ctx); err != nil {
			a.cfg.Logger.ErrorContext(ctx, "mail not sent", "what", what, "error", err)
		}
	})
}

// mailLink stores a one-time link and mails it.
func (a *Accounts) mailLink(ctx context.Context, l Link, life time.Duration, mail func(url string) Mail) error {
	url, err := a.newLink(ctx, l, life)
	if err != nil {
		return err
	}
	return a.mailer.Send(ctx, mail(url))
}

func (a *Accounts) resetMail(acc *Account) func(url string) Mail {
	return func(url string) Mail {
		return Mail{To: acc.Email, Subject: "Choose a new password for " + a.cfg.Product, Text: fmt.Sprintf(
			"Somebody asked to choose a new password for your account at %s.\n\nIf it was you, open this link within 30 minutes:\n\n%s\n\n"+
				"If it was not you, ignore this mail. Your password stays as it is.\n", a.cfg.Product, url)}
	}
}

func (a *Accounts) inviteMail(acc *Account) func(url string) Mail {
	return func(url string) Mail {
		return Mail{To: acc.Email, Subject: "Your account at " + a.cfg.Product, Text: fmt.Sprintf(
			"An account at %s was made for you.\n\nOpen this link within %d hours to choose your password:\n\n%s\n", a.cfg.Product, int(inviteLife.Hours()), url)}
	}
}

func (a *Accounts) signupMail(email string) func(url string) Mail {
	return func(url string) Mail {
		return Mail{To: email, Subject: "Finish creating your account at " + a.cfg.Product, Text: fmt.Sprintf(
			"Somebody asked to create an account at %s with this address.\n\nIf it was you, open this link within 30 minutes:\n\n%s\n\n"+
				"If it was not you, ignore this mail. No account was created.\n", a.cfg.Product, url)}
	}
}

// takenMail answers a sign-up with an address that has an account: the page
// must not tell, the mail may.
func (a *Accounts) takenMail(acc *Account) Mail {
	return Mail{To: acc.Email, Subject: "You have an account at " + a.cfg.Product, Text: fmt.Sprintf(
		"Somebody asked to create an account at %s with this address, but you have one already.\n\nSign in:\n\n%s\n\n"+
			"If it was not you, ignore this mail.\n", a.cfg.Product, a.url(pathLogin))}
}

func (a *Accounts) confirmMail(acc *Account) func(url string) Mail {
	return func(url string) Mail {
		return Mail{To: acc.Email, Subject: "Confirm your e-mail address for " + a.cfg.Product, Text: fmt.Sprintf(
			"Open this link within 30 minutes to confirm that this is the address of your account at %s:\n\n%s\n", a.cfg.Product, url)}
	}
}

// passwordMail warns the owner of an account; it holds no link to act by.
func (a *Accounts) passwordMail(acc *Account, network string) Mail {
	from := ""
	if network != "" {
		from = " from the network " + network
	}
	return Mail{To: acc.Email, Subject: "Your password at " + a.cfg.Product + " was changed", Text: fmt.Sprintf(
		"The password of your account at %s was changed on %s%s.\n\nIf it was not you, choose a new one at once:\n\n%s\n",
		a.cfg.Product, a.cfg.Now().UTC().Format("2 January 2006 at 15:04 UTC"), from, a.url(pathLost))}
}

// warnPassword tells the owner that the password was changed.
func (a *Accounts) warnPassword(ctx context.Context, acc *Account, network string) {
	if a.mailer == nil {
		return
	}
	mail := a.passwordMail(acc, network)
	a.later(ctx, "password changed", func(ctx context.Context) error { return a.mailer.Send(ctx, mail) })
}
