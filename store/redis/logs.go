package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

func (s *remote) stream(name string) string { return s.prefix + "l:" + name }

// add appends with the index after the last one, as the first half of the id of an entry of a stream.
var add = rueidis.NewLuaScript(`
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local index = 1
if #last > 0 then index = tonumber(string.match(last[1][1], '^%d+')) + 1 end
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], string.format('%d-0', index), 'd', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return index`)

func (s *remote) Append(ctx context.Context, log string, entry []byte, k store.Keep) (uint64, error) {
	if err := store.CheckAppend(log, entry, k); err != nil {
		return 0, err
	}
	index, err := s.run(ctx, add, s.stream(log), string(entry), strconv.Itoa(store.Limit(k.Most)),
		strconv.FormatInt(k.TTL.Milliseconds(), 10), s.prefix+"changes", log).AsInt64()
	return uint64(index), meaning(err)
}

func (s *remote) Entries(ctx context.Context, log string, after uint64, most int) ([]store.Entry, error) {
	from := "(" + strconv.FormatUint(min(after, 1<<62), 10) + "-0"
	found, err := s.do(ctx, s.client.B().Xrange().Key(s.stream(log)).Start(from).End("+").Count(int64(store.Limit(most))).Build()).AsXRange()
	if err != nil && !rueidis.IsRedisNil(err) {
		return nil, meaning(err)
	}
	var entries []store.Entry
	for _, e := range found {
		first, _, _ := strings.Cut(e.ID, "-")
		index, err := strconv.ParseUint(first, 10, 64)
		data, ours := e.FieldValues["d"]
		if err != nil || !ours {
			return nil, errors.New("redis: what stands under the name is not of this store")
		}
		entries = append(entries, store.Entry{Index: index, Data: []byte(data)})
	}
	return entries, nil
}

func (s *remote) Watch(ctx context.Context, log string) (<-chan struct{}, error) {
	return s.watchers.Watch(ctx, log), nil
}

func (s *remote) Drop(ctx context.Context, log string) error {
	if err := s.do(ctx, s.client.B().Del().Key(s.stream(log)).Build()).Error(); err != nil {
		return meaning(err)
	}
	return meaning(s.do(ctx, s.client.B().Publish().Channel(s.prefix+"changes").Message(log).Build()).Error())
}
