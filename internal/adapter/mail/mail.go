// Package mail sends emails by SMTP (RFC 5321).
//
// A connection is encrypted: from the beginning on port 465, else by STARTTLS where the server offers it; passwords are never sent
// without, not even on this machine. Its errors name neither users nor passwords.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"levada/internal/core/fault"
)

// Server is where mails are given to.
type Server struct {
	// Address is HOST:PORT.
	Address string
	// From is the sender's address; User and Password are empty where the server wants none.
	From, User, Password string
	// Roots are the authorities whose certificates count; nil are those of the machine.
	Roots *x509.CertPool
	// Dial connects; it decides what may be reached.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Mail is what is sent. Lines of the text are separated by \n.
type Mail struct {
	// ID makes the Message-ID: a mail that comes twice has the same.
	ID, Subject, Text string
	To                []string
	Date              time.Time
}

// Send sends a mail once. An Invalid error means that it can never be sent as it is.
func (s Server) Send(ctx context.Context, m Mail) error {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil || host == "" {
		return fault.Invalidf("the mail server is %q; want HOST:PORT", fault.Shorten(s.Address, 200))
	}
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return fault.Invalidf("the sender of mails is %q: %v", fault.Shorten(s.From, 200), err)
	}
	var to []*mail.Address
	for _, one := range m.To {
		a, err := mail.ParseAddress(one)
		if err != nil {
			return fault.Invalidf("the receiver %q: %v", fault.Shorten(one, 200), err)
		}
		to = append(to, a)
	}
	conn, err := s.Dial(ctx, "tcp", s.Address)
	if err != nil {
		return fmt.Errorf("reach the mail server %s: %w", s.Address, err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if port == "465" {
		conn = tls.Client(conn, s.tls(host))
	}
	if err := s.deliver(conn, host, from, to, m); err != nil {
		if fault.KindOf(err) == fault.Invalid {
			return err
		}
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			return fmt.Errorf("the certificate of the mail server %s is not accepted: %w: it has to be for %s and from an authority that this machine trusts; "+
				"SSL_CERT_FILE in the environment of the server names a file with others", s.Address, err, host)
		}
		if refused, ok := permanent(err); ok {
			return fault.Invalidf("the mail server %s refuses: %s", s.Address, refused)
		}
		return fmt.Errorf("give a mail to %s: %w", s.Address, err)
	}
	return nil
}

// tls says how a connection to a host is encrypted.
func (s Server) tls(host string) *tls.Config {
	return &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: s.Roots}
}

func (s Server) deliver(conn net.Conn, host string, from *mail.Address, to []*mail.Address, m Mail) error {
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	defer c.Close()
	if ok, _ := c.Extension("STARTTLS"); ok {
		if err := c.StartTLS(s.tls(host)); err != nil {
			return err
		}
	}
	if s.User != "" {
		if err := s.authenticate(c, host); err != nil {
			return err
		}
	}
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	for _, a := range to {
		if err := c.Rcpt(a.Address); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, m.body(from, to)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // it is taken
	return nil
}

// body is the mail in the form of RFC 5322. Nothing in it that was chosen by somebody else can begin a header.
func (m Mail) body(from *mail.Address, to []*mail.Address) string {
	names := make([]string, len(to))
	for i, a := range to {
		names[i] = a.String()
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	subject := mime.QEncoding.Encode("utf-8", fault.Shorten(strings.Join(strings.Fields(m.Subject), " "), 200))
	head := fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nAuto-Submitted: auto-generated\r\n\r\n",
		from, strings.Join(names, ", "), subject, m.Date.Format(time.RFC1123Z), m.ID, domain)
	return head + strings.ReplaceAll(strings.ReplaceAll(m.Text, "\r", ""), "\n", "\r\n") + "\r\n"
}

// permanent returns what a server said that refuses for good.
func permanent(err error) (string, bool) {
	if said, ok := errors.AsType[*textproto.Error](err); ok && said.Code >= 500 {
		return fault.Shorten(said.Error(), 300), true
	}
	return "", false
}
