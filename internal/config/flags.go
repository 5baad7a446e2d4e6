package config

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

const configFlag = "config"

// Flags declares the flags of command on fs: one for each of its settings, and --config. What people type is kept as
// they typed it; [Load] reads it, so that all faults come at once.
func Flags(fs *pflag.FlagSet, command string) {
	fs.Var(&typed{shape: "file", fallback: defaultFile}, configFlag, "File with settings, as YAML.")
	for i := range table {
		d := &table[i]
		if !d.usedBy(command) {
			continue
		}
		f := fs.VarPF(&typed{shape: d.shape(), fallback: d.defaultFor(command), list: d.kind == list || d.kind == scopes}, d.flag(), "", d.usage())
		switch d.kind {
		case yes:
			f.NoOptDefVal = "true"
		case secret:
			// It is declared only so that the refusal can say where a secret goes; what follows is not kept.
			f.Value, f.Hidden = &typed{shape: d.shape(), forget: true}, true
		}
	}
}

// usage is the help of a flag.
func (d *setting) usage() string {
	if len(d.oneOf) == 0 {
		return d.help
	}
	return d.help + " One of " + strings.Join(d.oneOf, ", ") + "."
}

// shape names what a flag takes, for its help.
func (d *setting) shape() string {
	switch {
	case d.kind == yes:
		return "bool"
	case d.kind == span:
		return "duration"
	case d.kind == size:
		return "size"
	case d.kind == number:
		return "number"
	case d.kind == list:
		return "list"
	case d.kind == scopes:
		return "tool=scopes"
	case len(d.oneOf) > 0:
		return strings.Join(d.oneOf, "|")
	}
	return "text"
}

// typed is a flag's value as it was typed, each time it was.
type typed struct {
	shape    string
	fallback string
	given    []string
	list     bool
	forget   bool
}

func (t *typed) Type() string { return t.shape }

func (t *typed) String() string {
	if len(t.given) == 0 {
		return t.fallback
	}
	return strings.Join(t.given, ",")
}

// Set keeps raw. Of several, a list keeps all and anything else the last.
func (t *typed) Set(raw string) error {
	if t.forget {
		raw = ""
	}
	if !t.list {
		t.given = nil
	}
	t.given = append(t.given, raw)
	return nil
}

// flags reads the layer of flags that were set.
func (l *loader) flags() layer {
	top := layer{}
	if l.src.Flags == nil {
		return top
	}
	for i := range table {
		d := &table[i]
		f := l.src.Flags.Lookup(d.flag())
		if f == nil || !f.Changed {
			continue
		}
		t, ours := f.Value.(*typed)
		if !ours {
			continue
		}
		name := "--" + d.flag()
		if d.kind == secret {
			l.refuse(d, said{name: name}, fmt.Errorf("a secret on the command line is seen by everyone on the machine; set %s, or --%s-file", d.env(), d.flag()))
			continue
		}
		l.take(top, d, said{name: name, origin: "flag " + name}, t.given)
	}
	return top
}

// configFlag is what --config says.
func (l *loader) configFlag() (string, bool) {
	if l.src.Flags == nil {
		return "", false
	}
	f := l.src.Flags.Lookup(configFlag)
	if f == nil || !f.Changed {
		return "", false
	}
	return f.Value.String(), true
}

// take reads what was typed for d into the layer, or remembers the fault.
func (l *loader) take(into layer, d *setting, where said, given []string) {
	value, err := d.parse(given)
	if err != nil {
		l.refuse(d, where, err)
		return
	}
	where.value = value
	into[d.key] = where
}

// refuse remembers why a value of d cannot be read.
func (l *loader) refuse(d *setting, where said, err error) {
	l.refused[d.key] = true
	l.faults.add(where.name, where.place, "%v", err)
}
