// Package redis keeps a store in Redis, so that several servers act as one.
//
// Each call is one command or one script on one key, so it holds in a cluster too. Redis must not evict what has not
// ended: the policy noeviction, its default, refuses writes instead. It keeps what its own settings for persistence say.
//
//	Open      the connection, and who hears of changes    redis.go
//	values    a revision, then the value                  values.go
//	logs      streams                                     logs.go
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// Options of a store in Redis. The zero value works.
type Options struct {
	Prefix string       // before every key, so that others can share the Redis; empty means "fastmcp-auth:"
	Logger *slog.Logger // nil means silence
}

// Open connects to the Redis at address, such as redis://user:password@host:6379/0, or rediss:// with TLS. It fails where
// Redis does not answer; one that goes away later is connected to again.
func Open(ctx context.Context, address string, o Options) (store.Store, error) {
	options, err := rueidis.ParseURL(address)
	if err != nil {
		return nil, errors.New("redis: the address is not a redis:// or rediss:// URL") // the cause may quote its password
	}
	options.DisableCache = true
	options.DisableRetry = true // whoever waits for an answer is told that there is none
	options.ConnWriteTimeout = callTimeout
	options.Dialer.Timeout = callTimeout
	client, err := rueidis.NewClient(options)
	if err != nil {
		return nil, fmt.Errorf("redis: connect: %w", err)
	}
	s := &remote{client: client, prefix: o.Prefix, log: o.Logger}
	if s.prefix == "" {
		s.prefix = "fastmcp-auth:"
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.Ping(ctx); err != nil {
		client.Close()
		return nil, err
	}
	var listening context.Context
	listening, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.listening.Go(func() { s.listen(listening) })
	return s, nil
}

// callTimeout is the longest that one command may take, connecting included.
const callTimeout = 5 * time.Second

// remote is a store in Redis.
type remote struct {
	client    rueidis.Client
	prefix    string
	log       *slog.Logger
	stop      context.CancelFunc
	listening sync.WaitGroup
	watchers  store.Watchers
}

func (s *remote) do(ctx context.Context, c rueidis.Completed) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.client.Do(ctx, c)
}

func (s *remote) run(ctx context.Context, l *rueidis.Lua, key string, args ...string) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return l.Exec(ctx, s.client, []string{key}, args)
}

// meaning says what the contract says, where it does.
func meaning(err error) error {
	var refused *rueidis.RedisError
	switch {
	case err == nil:
		return nil
	case rueidis.IsRedisNil(err):
		return store.ErrNotFound
	case errors.As(err, &refused) && strings.HasPrefix(refused.Error(), "OOM "):
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return fmt.Errorf("redis: %w", err)
}

func (s *remote) Ping(ctx context.Context) error {
	return meaning(s.do(ctx, s.client.B().Ping().Build()).Error())
}

func (s *remote) Close() error {
	s.stop()
	s.client.Close()
	s.listening.Wait()
	return nil
}

// listen hears of changes until ctx ends. Where it may have missed some it lets everyone look again.
func (s *remote) listen(ctx context.Context) {
	for wait := time.Duration(0); ctx.Err() == nil; wait = time.Second {
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		hooked := rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) { s.watchers.WakeAll() })
		err := s.client.Receive(hooked, s.client.B().Subscribe().Channel(s.prefix+"changes").Build(), func(m rueidis.PubSubMessage) {
			s.watchers.Wake(m.Message)
		})
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "redis is away", "cause", err)
		}
	}
}
