package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

func (s *remote) value(key string) string { return s.prefix + "v:" + key }

// What stands in Redis is eight bytes of revision, then the value.
const revisionSize = 8

func item(r rueidis.RedisResult) (store.Item, error) {
	data, err := r.AsBytes()
	if err != nil {
		return store.Item{}, meaning(err)
	}
	if len(data) < revisionSize {
		return store.Item{}, errors.New("redis: what stands under the key is not of this store")
	}
	return store.Item{Value: data[revisionSize:], Revision: binary.BigEndian.Uint64(data)}, nil
}

func (s *remote) Get(ctx context.Context, key string) (store.Item, error) {
	return item(s.do(ctx, s.client.B().Get().Key(s.value(key)).Build()))
}

// replace writes where the revision that stands is the one asked for; an empty one asks for none.
var replace = rueidis.NewLuaScript(`
local stands = redis.call('GETRANGE', KEYS[1], 0, 7)
if stands ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`)

func (s *remote) Put(ctx context.Context, key string, value []byte, w store.Write) (uint64, error) {
	if err := store.CheckWrite(key, value, w); err != nil {
		return 0, err
	}
	revision := store.NewRevision()
	data := string(append(binary.BigEndian.AppendUint64(make([]byte, 0, revisionSize+len(value)), revision), value...))
	if !w.Create && w.If == 0 {
		err := s.do(ctx, s.client.B().Set().Key(s.value(key)).Value(data).Px(w.TTL).Build()).Error()
		return revision, meaning(err)
	}
	var stands string
	if w.If != 0 {
		stands = string(binary.BigEndian.AppendUint64(nil, w.If))
	}
	written, err := s.run(ctx, replace, s.value(key), stands, data, strconv.FormatInt(w.TTL.Milliseconds(), 10)).AsInt64()
	switch {
	case err != nil:
		return 0, meaning(err)
	case written == 0:
		return 0, store.ErrConflict
	}
	return revision, nil
}

func (s *remote) Take(ctx context.Context, key string) (store.Item, error) {
	return item(s.do(ctx, s.client.B().Getdel().Key(s.value(key)).Build()))
}

func (s *remote) Delete(ctx context.Context, key string) error {
	return meaning(s.do(ctx, s.client.B().Del().Key(s.value(key)).Build()).Error())
}
