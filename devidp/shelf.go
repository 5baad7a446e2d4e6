package devidp

import (
	"container/list"
	"time"
)

// shelf keeps values until they expire, and never more than room of them: the oldest goes when a further one comes.
// It has no lock of its own.
type shelf[V any] struct {
	room  int
	byKey map[string]*list.Element
	order *list.List // oldest first
}

type kept[V any] struct {
	key     string
	value   V
	expires time.Time
}

func newShelf[V any](room int) *shelf[V] {
	return &shelf[V]{room: room, byKey: map[string]*list.Element{}, order: list.New()}
}

// put keeps v until expires, in the place of an earlier value of key.
func (sh *shelf[V]) put(key string, v V, expires, now time.Time) {
	sh.remove(key)
	for sh.order.Len() > 0 && (sh.order.Len() >= sh.room || now.After(sh.order.Front().Value.(*kept[V]).expires)) {
		sh.drop(sh.order.Front())
	}
	sh.byKey[key] = sh.order.PushBack(&kept[V]{key, v, expires})
}

// full reports whether a further value would push one out that has not expired.
func (sh *shelf[V]) full(now time.Time) bool {
	for e := sh.order.Front(); e != nil && sh.order.Len() >= sh.room; {
		next := e.Next()
		if !now.Before(e.Value.(*kept[V]).expires) {
			sh.drop(e)
		}
		e = next
	}
	return sh.order.Len() >= sh.room
}

// get returns the value of key unless it has expired.
func (sh *shelf[V]) get(key string, now time.Time) (v V, ok bool) {
	e, ok := sh.byKey[key]
	if !ok {
		return v, false
	}
	k := e.Value.(*kept[V])
	if !now.Before(k.expires) {
		sh.drop(e)
		return v, false
	}
	return k.value, true
}

// take returns the value of key and removes it.
func (sh *shelf[V]) take(key string, now time.Time) (V, bool) {
	v, ok := sh.get(key, now)
	sh.remove(key)
	return v, ok
}

func (sh *shelf[V]) remove(key string) {
	if e, ok := sh.byKey[key]; ok {
		sh.drop(e)
	}
}

func (sh *shelf[V]) drop(e *list.Element) {
	delete(sh.byKey, e.Value.(*kept[V]).key)
	sh.order.Remove(e)
}

func (sh *shelf[V]) len() int { return sh.order.Len() }
