package sctp

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
)

// Kinds of chunks (RFC 9260, section 3.2).
const (
	kindData             = 0
	kindInit             = 1
	kindInitAck          = 2
	kindSack             = 3
	kindAbort            = 6
	kindShutdown         = 7
	kindShutdownAck      = 8
	kindCookieEcho       = 10
	kindCookieAck        = 11
	kindShutdownComplete = 14
)

const (
	headerLength    = 12
	chunkHeader     = 4
	initLength      = 16
	dataHeader      = 12
	cookieLength    = 16
	parameterCookie = 7
	window          = 1 << 16
)

var checksums = crc32.MakeTable(crc32.Castagnoli)

type chunk struct {
	kind, flags byte
	value       []byte
}

// word is the one of 32 bits at that offset of the value, 0 behind its end.
func (c chunk) word(offset int) uint32 {
	if len(c.value) < offset+4 {
		return 0
	}
	return binary.BigEndian.Uint32(c.value[offset:])
}

type packet struct {
	source, destination uint16
	tag                 uint32
	chunks              []chunk
}

func parse(bytes []byte) (packet, bool) {
	if len(bytes) < headerLength {
		return packet{}, false
	}
	whole := append([]byte(nil), bytes...)
	sum := binary.LittleEndian.Uint32(whole[8:])
	clear(whole[8:12])
	if crc32.Checksum(whole, checksums) != sum {
		return packet{}, false
	}
	p := packet{
		source:      binary.BigEndian.Uint16(whole),
		destination: binary.BigEndian.Uint16(whole[2:]),
		tag:         binary.BigEndian.Uint32(whole[4:]),
	}
	for rest := whole[headerLength:]; len(rest) >= chunkHeader; {
		length := int(binary.BigEndian.Uint16(rest[2:]))
		if length < chunkHeader || length > len(rest) {
			return packet{}, false
		}
		p.chunks = append(p.chunks, chunk{kind: rest[0], flags: rest[1], value: rest[chunkHeader:length]})
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return p, true
}

func (p packet) bytes() []byte {
	b := binary.BigEndian.AppendUint16(nil, p.source)
	b = binary.BigEndian.AppendUint16(b, p.destination)
	b = binary.BigEndian.AppendUint32(b, p.tag)
	b = append(b, 0, 0, 0, 0)
	for _, c := range p.chunks {
		b = append(b, c.kind, c.flags)
		b = binary.BigEndian.AppendUint16(b, uint16(chunkHeader+len(c.value)))
		b = append(b, c.value...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, checksums))
	return b
}

// initValue is of INIT and INIT ACK: tag, window, streams each way, first TSN.
func initValue(tag, tsn uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, tag)
	b = binary.BigEndian.AppendUint32(b, window)
	b = append(b, 0, 1, 0, 1)
	return binary.BigEndian.AppendUint32(b, tsn)
}

// initAckValue answers an INIT. The cookie holds all that the association will need: both tags and both first TSNs.
func initAckValue(c chunk) []byte {
	tag, tsn := rand.Uint32()|1, rand.Uint32()
	b := initValue(tag, tsn)
	b = append(b, 0, parameterCookie, 0, chunkHeader+cookieLength)
	for _, word := range []uint32{tag, c.word(0), tsn, c.word(12)} {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	return b
}

// cookieOf finds the cookie among an INIT ACK's parameters.
func cookieOf(c chunk) []byte {
	if len(c.value) < initLength {
		return nil
	}
	for rest := c.value[initLength:]; len(rest) >= chunkHeader; {
		length := int(binary.BigEndian.Uint16(rest[2:]))
		if length < chunkHeader || length > len(rest) {
			return nil
		}
		if binary.BigEndian.Uint16(rest) == parameterCookie {
			return append([]byte(nil), rest[chunkHeader:length]...)
		}
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return nil
}

func dataValue(tsn uint32, number uint16, message []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, tsn)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, number)
	b = append(b, 0, 0, 0, 0)
	return append(b, message...)
}

func sackValue(tsn uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, tsn)
	b = binary.BigEndian.AppendUint32(b, window)
	return append(b, 0, 0, 0, 0)
}

func tsnValue(tsn uint32) []byte { return binary.BigEndian.AppendUint32(nil, tsn) }
