// Package sctp stands in for the library of the same name in Kubernetes' test image, on kernels without SCTP: real SCTP
// packets (RFC 9260: handshake, data, acknowledgement, shutdown, checksums) by a raw IPv4 socket. It has what that image
// calls and no more: one stream, one packet a message, and silence on a closed port, where a kernel would abort.
package sctp

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// SCTPAddr is an end: addresses and a port.
type SCTPAddr struct {
	IPAddrs []net.IPAddr
	Port    int
}

func (a *SCTPAddr) Network() string { return "sctp" }

func (a *SCTPAddr) String() string {
	var hosts []string
	for _, address := range a.IPAddrs {
		hosts = append(hosts, address.String())
	}
	return fmt.Sprintf("%s:%d", strings.Join(hosts, "/"), a.Port)
}

// ResolveSCTPAddr reads "host:port".
func ResolveSCTPAddr(network, text string) (*SCTPAddr, error) {
	address, err := net.ResolveTCPAddr(strings.Replace(network, "sctp", "tcp", 1), text)
	if err != nil {
		return nil, err
	}
	end := &SCTPAddr{Port: address.Port}
	if address.IP != nil {
		end.IPAddrs = []net.IPAddr{{IP: address.IP}}
	}
	return end, nil
}

const (
	retry = 300 * time.Millisecond
	tries = 10
)

// socket is a raw socket with the associations that it carries.
type socket struct {
	raw      *net.IPConn
	port     uint16
	mutex    sync.Mutex
	conns    map[end]*SCTPConn
	accepted chan *SCTPConn // a listener's
}

// end is the other end of an association.
type end struct {
	address [4]byte
	port    uint16
}

func open(port uint16) (*socket, error) {
	raw, err := net.ListenIP("ip4:132", nil)
	if err != nil {
		return nil, err
	}
	s := &socket{raw: raw, port: port, conns: map[end]*SCTPConn{}}
	go s.receive()
	return s, nil
}

func (s *socket) receive() {
	buffer := make([]byte, 65536)
	for {
		n, from, err := s.raw.ReadFromIP(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error about a packet of ours
		}
		p, ok := parse(buffer[:n])
		if !ok || p.destination != s.port {
			continue
		}
		other := end{port: p.source}
		copy(other.address[:], from.IP.To4())
		s.mutex.Lock()
		for _, c := range p.chunks {
			s.take(other, p.tag, c)
		}
		s.mutex.Unlock()
	}
}

// take is told of a chunk; the mutex is held.
func (s *socket) take(other end, tag uint32, c chunk) {
	conn := s.conns[other]
	switch {
	case c.kind == kindInit && s.accepted != nil:
		s.send(other, c.word(0), chunk{kind: kindInitAck, value: initAckValue(c)})
	case c.kind == kindCookieEcho && s.accepted != nil:
		s.admit(other, tag, c)
	case c.kind == kindShutdownAck && conn == nil:
		s.send(other, tag, chunk{kind: kindShutdownComplete, flags: 1})
	case conn != nil:
		conn.take(tag, c)
	}
}

// admit makes the association that a cookie tells of, and answers the cookie of one that is there again.
func (s *socket) admit(other end, tag uint32, c chunk) {
	conn := s.conns[other]
	if len(c.value) < cookieLength || c.word(0) != tag {
		return
	}
	if conn == nil || conn.ownTag != tag {
		conn = newConn(s, other, tag)
		conn.otherTag, conn.nextTSN, conn.seenTSN = c.word(4), c.word(8), c.word(12)-1
		conn.isUp = true
		select {
		case s.accepted <- conn:
		default:
			return // the client tries again
		}
		s.conns[other] = conn
	}
	s.send(other, conn.otherTag, chunk{kind: kindCookieAck})
}

func (s *socket) send(other end, tag uint32, chunks ...chunk) {
	bytes := packet{source: s.port, destination: other.port, tag: tag, chunks: chunks}.bytes()
	s.raw.WriteToIP(bytes, &net.IPAddr{IP: other.address[:]})
}

// SCTPListener accepts associations.
type SCTPListener struct{ socket *socket }

func ListenSCTP(_ string, local *SCTPAddr) (*SCTPListener, error) {
	s, err := open(uint16(local.Port))
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	s.accepted = make(chan *SCTPConn, 128)
	s.mutex.Unlock()
	return &SCTPListener{s}, nil
}

func (l *SCTPListener) AcceptSCTP() (*SCTPConn, error) { return <-l.socket.accepted, nil }
func (l *SCTPListener) Close() error                   { return l.socket.raw.Close() }

// SCTPConn is an association with one stream.
type SCTPConn struct {
	socket   *socket
	other    end
	isClient bool
	changed  *sync.Cond
	deadline time.Time

	ownTag, otherTag uint32
	isUp             bool
	nextTSN          uint32 // of the next message
	seenTSN          uint32 // we have
	stream           uint16 // number of the next message in the stream
	pending          []chunk
	received         [][]byte
	cookie           []byte
	otherIsDone      bool
	isOver           bool
}

func newConn(s *socket, other end, tag uint32) *SCTPConn {
	conn := &SCTPConn{socket: s, other: other, ownTag: tag}
	conn.changed = sync.NewCond(&s.mutex)
	return conn
}

func DialSCTP(_ string, _, remote *SCTPAddr) (*SCTPConn, error) {
	if len(remote.IPAddrs) == 0 || remote.IPAddrs[0].IP.To4() == nil {
		return nil, fmt.Errorf("sctp: %s: only IPv4 addresses can be reached", remote)
	}
	s, err := open(uint16(32768 + rand.IntN(28000)))
	if err != nil {
		return nil, err
	}
	other := end{port: uint16(remote.Port)}
	copy(other.address[:], remote.IPAddrs[0].IP.To4())
	conn := newConn(s, other, rand.Uint32()|1)
	conn.isClient, conn.nextTSN = true, rand.Uint32()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.conns[other] = conn
	start := chunk{kind: kindInit, value: initValue(conn.ownTag, conn.nextTSN)}
	if !conn.repeat(func() bool { return conn.cookie != nil }, func() { s.send(other, 0, start) }) ||
		!conn.repeat(func() bool { return conn.isUp }, func() {
			s.send(other, conn.otherTag, chunk{kind: kindCookieEcho, value: conn.cookie})
		}) {
		s.raw.Close()
		return nil, os.ErrDeadlineExceeded
	}
	return conn, nil
}

// repeat sends again and again until it is done, or for good; the mutex is held.
func (c *SCTPConn) repeat(done func() bool, send func()) bool {
	for range tries {
		if done() {
			return true
		}
		send()
		c.wait(time.Now().Add(retry), done)
	}
	return done()
}

// wait returns whether it is done by then.
func (c *SCTPConn) wait(until time.Time, done func() bool) bool {
	timer := time.AfterFunc(time.Until(until), func() {
		c.socket.mutex.Lock()
		defer c.socket.mutex.Unlock()
		c.changed.Broadcast()
	})
	defer timer.Stop()
	for !done() && time.Now().Before(until) {
		c.changed.Wait()
	}
	return done()
}

// take is told of a chunk of this association; the mutex is held.
func (c *SCTPConn) take(tag uint32, got chunk) {
	if tag != c.ownTag && !(got.kind == kindShutdownComplete && got.flags&1 != 0 && tag == c.otherTag) {
		return
	}
	defer c.changed.Broadcast()
	switch got.kind {
	case kindInitAck:
		if cookie := cookieOf(got); cookie != nil && c.cookie == nil {
			c.otherTag, c.seenTSN, c.cookie = got.word(0), got.word(12)-1, cookie
		}
	case kindCookieAck:
		c.isUp = true
	case kindData:
		if len(got.value) < dataHeader {
			return
		}
		if got.word(0) == c.seenTSN+1 {
			c.seenTSN++
			c.received = append(c.received, append([]byte(nil), got.value[dataHeader:]...))
		}
		c.socket.send(c.other, c.otherTag, chunk{kind: kindSack, value: sackValue(c.seenTSN)})
	case kindSack:
		c.acknowledge(got.word(0))
	case kindShutdown:
		c.acknowledge(got.word(0))
		c.otherIsDone = true
		c.socket.send(c.other, c.otherTag, chunk{kind: kindShutdownAck})
	case kindShutdownAck:
		c.socket.send(c.other, c.otherTag, chunk{kind: kindShutdownComplete})
		c.otherIsDone, c.isOver = true, true
	case kindShutdownComplete, kindAbort:
		c.otherIsDone, c.isOver = true, true
	}
}

func (c *SCTPConn) acknowledge(tsn uint32) {
	for len(c.pending) > 0 && int32(tsn-c.pending[0].word(0)) >= 0 {
		c.pending = c.pending[1:]
	}
}

func (c *SCTPConn) Write(message []byte) (int, error) {
	c.socket.mutex.Lock()
	defer c.socket.mutex.Unlock()
	if c.isOver {
		return len(message), nil // the other end took leave first: nobody waits for it
	}
	data := chunk{kind: kindData, flags: 3, value: dataValue(c.nextTSN, c.stream, message)}
	c.nextTSN++
	c.stream++
	c.pending = append(c.pending, data)
	c.socket.send(c.other, c.otherTag, data)
	if len(c.pending) == 1 {
		time.AfterFunc(retry, c.sendAgain)
	}
	return len(message), nil
}

func (c *SCTPConn) sendAgain() {
	c.socket.mutex.Lock()
	defer c.socket.mutex.Unlock()
	c.repeat(func() bool { return len(c.pending) == 0 || c.isOver }, func() {
		c.socket.send(c.other, c.otherTag, c.pending...)
	})
}

func (c *SCTPConn) Read(buffer []byte) (int, error) {
	c.socket.mutex.Lock()
	defer c.socket.mutex.Unlock()
	until := c.deadline
	if until.IsZero() {
		until = time.Now().Add(time.Hour)
	}
	if !c.wait(until, func() bool { return len(c.received) > 0 || c.otherIsDone }) {
		return 0, os.ErrDeadlineExceeded
	}
	if len(c.received) == 0 {
		return 0, io.EOF
	}
	n := copy(buffer, c.received[0])
	c.received = c.received[1:]
	return n, nil
}

func (c *SCTPConn) SetReadDeadline(deadline time.Time) error {
	c.socket.mutex.Lock()
	defer c.socket.mutex.Unlock()
	c.deadline = deadline
	return nil
}

// SCTPRemoteAddr returns the other end; there is one association.
func (c *SCTPConn) SCTPRemoteAddr(int) (*SCTPAddr, error) {
	return &SCTPAddr{IPAddrs: []net.IPAddr{{IP: c.other.address[:]}}, Port: int(c.other.port)}, nil
}

// Close waits until the other end has all messages, and takes leave of it.
func (c *SCTPConn) Close() error {
	c.socket.mutex.Lock()
	defer c.socket.mutex.Unlock()
	c.wait(time.Now().Add(2*time.Second), func() bool { return len(c.pending) == 0 || c.isOver })
	c.repeat(func() bool { return c.isOver }, func() {
		c.socket.send(c.other, c.otherTag, chunk{kind: kindShutdown, value: tsnValue(c.seenTSN)})
	})
	if c.socket.conns[c.other] == c {
		delete(c.socket.conns, c.other)
	}
	if c.isClient {
		return c.socket.raw.Close()
	}
	return nil
}
