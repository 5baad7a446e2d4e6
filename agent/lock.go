package agent

import (
	"errors"
	"fmt"

	"github.com/gofrs/flock"
)

// ErrTranscriptInUse means that another process, or another agent of this one, goes on with the conversation. It can be
// forked meanwhile.
var ErrTranscriptInUse = errors.New("agent: this conversation is open elsewhere")

// lock keeps others from adding to the conversation whose file is at path. The system lets go of it when the process dies.
// The lock is a file of its own, since Windows would keep others from reading, too; it stays, since one that is removed
// could be locked twice.
func lock(path string) (unlock func() error, err error) {
	l := flock.New(path+".lock", flock.SetPermissions(0o600))
	switch got, err := l.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("agent: lock a transcript: %w", err)
	case !got:
		return nil, ErrTranscriptInUse
	}
	return l.Unlock, nil
}
