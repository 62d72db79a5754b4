package livetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Pause stops every process of the server in its steps until Resume: it keeps its
// connections, takes new ones, and says nothing.
func (p *Postgres) Pause() { p.each(pause) }

// Resume lets the server go on.
func (p *Postgres) Resume() { p.each(resume) }

func (p *Postgres) each(do func(*os.Process)) {
	pid := p.cmd.Process.Pid
	for _, pid := range append([]int{pid}, childrenOf(pid)...) {
		if process, err := os.FindProcess(pid); err == nil {
			do(process)
		}
	}
}

// SQL runs a statement and returns what psql prints of its rows.
func (p *Postgres) SQL(ctx context.Context, statement string) (string, error) {
	out, err := p.program(ctx, "psql", "-h", "127.0.0.1", "-p", p.port, "-U", "valetkey", "-d", "postgres", "-qAtc", statement).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w\n%s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Standby makes a server that follows p and starts it. From then on p answers a
// commit only when the standby has it, too.
func (p *Postgres) Standby(ctx context.Context) (*Postgres, error) {
	dir, err := os.MkdirTemp("", "valetkey-postgres")
	if err != nil {
		return nil, err
	}
	s := &Postgres{Dir: dir, bin: p.bin, as: p.as}
	if err := p.follow(ctx, s); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

func (p *Postgres) follow(ctx context.Context, s *Postgres) error {
	if err := s.own(); err != nil {
		return err
	}
	addr, err := FreeAddr()
	if err != nil {
		return err
	}
	_, s.port, _ = strings.Cut(addr, ":")
	s.URL = strings.Replace(p.URL, ":"+p.port+"/", ":"+s.port+"/", 1)
	copying := s.program(ctx, "pg_basebackup", "-h", "127.0.0.1", "-p", p.port, "-U", "valetkey", "-D", s.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync")
	if out, err := copying.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	conf := filepath.Join(s.data(), "valetkey.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		return err
	}
	text = []byte(strings.NewReplacer("port = '"+p.port+"'", "port = '"+s.port+"'", p.Dir, s.Dir).Replace(string(text)))
	if err := os.WriteFile(conf, text, 0o644); err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	// The standby was copied before this, so that it waits for nobody once it is promoted.
	if _, err := p.SQL(ctx, "ALTER SYSTEM SET synchronous_standby_names = '*'"); err != nil {
		return err
	}
	if _, err := p.SQL(ctx, "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		state, err := p.SQL(ctx, "SELECT sync_state FROM pg_stat_replication")
		if state == "sync" || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("livetest: the standby does not follow: " + s.Log())
		case <-time.After(probeEvery):
		}
	}
}

// Promote makes the standby the primary.
func (p *Postgres) Promote(ctx context.Context) error {
	done, err := p.SQL(ctx, "SELECT pg_promote()")
	if err == nil && done != "t" {
		err = errors.New("livetest: the standby was not promoted")
	}
	return err
}
