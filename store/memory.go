package store

import (
	"bytes"
	"container/heap"
	"context"
	"sync"
	"time"
)

// MemoryOptions bound a store in memory. The zero value works.
type MemoryOptions struct {
	MaxItems int              // values and logs together; 0 means 100,000
	MaxBytes int64            // of all values and entries together; 0 means 256 MiB
	Now      func() time.Time // nil means time.Now
}

// Memory returns a store that lives and ends with the process.
func Memory(o MemoryOptions) Store {
	m := &memory{
		now: o.Now, maxItems: o.MaxItems, maxBytes: o.MaxBytes,
		values: map[string]*value{}, logs: map[string]*log{},
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.maxItems == 0 {
		m.maxItems = 100_000
	}
	if m.maxBytes == 0 {
		m.maxBytes = 256 << 20
	}
	return m
}

type memory struct {
	now      func() time.Time
	maxItems int
	maxBytes int64

	mu       sync.Mutex
	bytes    int64
	values   map[string]*value
	logs     map[string]*log
	ends     ends // of both, the next first
	watchers Watchers
}

// mortal is what ends at a time.
type mortal struct {
	name  string
	isLog bool
	at    time.Time
	place int // in the heap
}

type value struct {
	mortal
	Item
}

type log struct {
	mortal
	last    uint64
	entries []Entry
}

// perEntry is what an entry costs beside its bytes.
const perEntry = 64

func (m *memory) Get(_ context.Context, key string) (Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	v := m.values[key]
	if v == nil {
		return Item{}, ErrNotFound
	}
	return Item{Value: bytes.Clone(v.Value), Revision: v.Revision}, nil
}

func (m *memory) Put(_ context.Context, key string, data []byte, w Write) (uint64, error) {
	if err := CheckWrite(key, data, w); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	v := m.values[key]
	if w.Create && v != nil || w.If != 0 && (v == nil || v.Revision != w.If) {
		return 0, ErrConflict
	}
	added := int64(len(data)) + perEntry
	if v != nil {
		added -= int64(len(v.Value)) + perEntry
	}
	if m.bytes+added > m.maxBytes || v == nil && len(m.values)+len(m.logs) >= m.maxItems {
		return 0, ErrFull
	}
	m.bytes += added
	if v == nil {
		v = &value{mortal: mortal{name: key}}
		m.values[key] = v
		heap.Push(&m.ends, &v.mortal)
	}
	v.Item = Item{Value: bytes.Clone(data), Revision: NewRevision()}
	m.until(&v.mortal, w.TTL)
	return v.Revision, nil
}

func (m *memory) Take(_ context.Context, key string) (Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	v := m.values[key]
	if v == nil {
		return Item{}, ErrNotFound
	}
	m.forget(v)
	return v.Item, nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.values[key]; v != nil {
		m.forget(v)
	}
	return nil
}

func (m *memory) forget(v *value) {
	m.bytes -= int64(len(v.Value)) + perEntry
	delete(m.values, v.name)
	heap.Remove(&m.ends, v.place)
}

func (m *memory) Append(_ context.Context, name string, entry []byte, k Keep) (uint64, error) {
	if err := CheckAppend(name, entry, k); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	l := m.logs[name]
	if m.bytes+int64(len(entry))+perEntry > m.maxBytes || l == nil && len(m.values)+len(m.logs) >= m.maxItems {
		return 0, ErrFull
	}
	if l == nil {
		l = &log{mortal: mortal{name: name, isLog: true}}
		m.logs[name] = l
		heap.Push(&m.ends, &l.mortal)
	}
	l.last++
	l.entries = append(l.entries, Entry{Index: l.last, Data: bytes.Clone(entry)})
	m.bytes += int64(len(entry)) + perEntry
	for len(l.entries) > Limit(k.Most) {
		m.bytes -= int64(len(l.entries[0].Data)) + perEntry
		l.entries[0].Data = nil
		l.entries = l.entries[1:]
	}
	m.until(&l.mortal, k.TTL)
	m.watchers.Wake(name)
	return l.last, nil
}

func (m *memory) Entries(_ context.Context, name string, after uint64, most int) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	l := m.logs[name]
	if l == nil {
		return nil, nil
	}
	var found []Entry
	for _, e := range l.entries {
		if e.Index > after && len(found) < Limit(most) {
			found = append(found, Entry{Index: e.Index, Data: bytes.Clone(e.Data)})
		}
	}
	return found, nil
}

func (m *memory) Watch(ctx context.Context, name string) (<-chan struct{}, error) {
	return m.watchers.Watch(ctx, name), nil
}

func (m *memory) Drop(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.logs[name]; l != nil {
		heap.Remove(&m.ends, l.place)
		m.drop(l)
	}
	return nil
}

func (m *memory) drop(l *log) {
	for _, e := range l.entries {
		m.bytes -= int64(len(e.Data)) + perEntry
	}
	delete(m.logs, l.name)
	m.watchers.Wake(l.name)
}

func (m *memory) Ping(context.Context) error { return nil }

func (m *memory) Close() error { return nil }

// until gives e another end.
func (m *memory) until(e *mortal, ttl time.Duration) {
	e.at = m.now().Add(ttl)
	heap.Fix(&m.ends, e.place)
}

// sweep forgets what has ended. The lock is held.
func (m *memory) sweep() {
	now := m.now()
	for len(m.ends) > 0 && !now.Before(m.ends[0].at) {
		e := heap.Pop(&m.ends).(*mortal)
		if e.isLog {
			m.drop(m.logs[e.name])
			continue
		}
		m.bytes -= int64(len(m.values[e.name].Value)) + perEntry
		delete(m.values, e.name)
	}
}

// ends is a heap of what ends, the next first.
type ends []*mortal

func (h ends) Len() int           { return len(h) }
func (h ends) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h ends) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *ends) Push(x any) {
	e := x.(*mortal)
	e.place = len(*h)
	*h = append(*h, e)
}

func (h *ends) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
