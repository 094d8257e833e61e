package consumer

import (
	"encoding/binary"
	"math/bits"
)

// keyTable has names by a hash of their length and ends, for Attributes.Lookup, which finds them without a call or a copy.
type keyTable struct {
	shift   uint8
	entries []keyEntry
}

type keyEntry struct {
	key  string
	slot int
}

func newKeyTable(keys []string) keyTable {
	width := bits.Len(uint(len(keys) * 4))
	t := keyTable{shift: uint8(64 - width), entries: make([]keyEntry, 1<<width)}
	for slot, k := range keys {
		i := hashKey([]byte(k)) >> t.shift
		for t.entries[i].key != "" {
			i = (i + 1) & uint64(len(t.entries)-1)
		}
		t.entries[i] = keyEntry{k, slot}
	}
	return t
}

func hashKey(key []byte) uint64 {
	n := len(key)
	var head, tail uint64
	if n >= 8 {
		head, tail = binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[n-8:])
	} else {
		for _, c := range key {
			head = head<<8 | uint64(c)
		}
	}
	hi, lo := bits.Mul64(head^0x9e3779b97f4a7c15, tail^0xbf58476d1ce4e5b9^uint64(n)<<56)
	return (hi ^ lo) * 0x94d049bb133111eb
}
