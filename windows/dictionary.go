package windows

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// dictionary numbers the byte strings of a batch. Of those of earlier batches it keeps nothing but the room that they took: whoever
// makes up a new one with each event finds no memory that grows.
type dictionary struct {
	table []byte     // length-prefixed, as it goes into the batch
	texts [][2]int32 // from and to in the table, by number
	slots []uint32   // numbers plus one, by hash; at least half of them empty
	last  uint32     // asked for last; often it is the same again
}

var dictionarySeed = maphash.MakeSeed()

func (d *dictionary) text(ref uint32) []byte {
	at := d.texts[ref]
	return d.table[at[0]:at[1]]
}

// ref numbers key, which is copied when it is new.
func (d *dictionary) ref(key []byte) uint32 {
	if len(d.texts) > 0 && bytes.Equal(d.text(d.last), key) {
		return d.last
	}
	if 2*(len(d.texts)+1) > len(d.slots) {
		d.grow()
	}
	i := d.place(key)
	if d.slots[i] == 0 {
		d.table = binary.AppendUvarint(d.table, uint64(len(key)))
		from := len(d.table)
		d.table = append(d.table, key...)
		d.texts = append(d.texts, [2]int32{int32(from), int32(len(d.table))})
		d.slots[i] = uint32(len(d.texts))
	}
	d.last = d.slots[i] - 1
	return d.last
}

// place is the slot of a key, empty where it is new.
func (d *dictionary) place(key []byte) int {
	mask := len(d.slots) - 1
	for i := int(maphash.Bytes(dictionarySeed, key)) & mask; ; i = (i + 1) & mask {
		if n := d.slots[i]; n == 0 || bytes.Equal(d.text(n-1), key) {
			return i
		}
	}
}

func (d *dictionary) grow() {
	d.slots = make([]uint32, max(16, 2*len(d.slots)))
	for ref := range d.texts {
		d.slots[d.place(d.text(uint32(ref)))] = uint32(ref) + 1
	}
}

func (d *dictionary) reset() {
	clear(d.slots)
	d.table, d.texts, d.last = d.table[:0], d.texts[:0], 0
}

// room is the memory that it takes, bytes.
func (d *dictionary) room() int { return cap(d.table) + 8*cap(d.texts) + 4*cap(d.slots) }
