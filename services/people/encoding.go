package people

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// head is how much of a file tells what it is.
const head = 64 << 10

// format is what a file is.
type format struct {
	gb18030 bool
	mark    bool // it begins with a byte order mark
	dump    bool
	fault   string // why it can't be read at all
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// open returns the text of a file of the format, in UTF-8.
func (f format) open(from io.ReadSeeker) (io.Reader, error) {
	start := int64(0)
	if f.mark {
		start = int64(len(byteOrderMark))
	}
	if _, err := from.Seek(start, io.SeekStart); err != nil {
		return nil, err
	}
	if f.gb18030 {
		return transform.NewReader(from, simplifiedchinese.GB18030.NewDecoder()), nil
	}
	return from, nil
}

// detect tells what a file is, from the whole of it: its first Chinese character may come
// late, and a text in the one encoding may begin like one in the other.
func detect(from io.ReadSeeker) (format, error) {
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return format{}, err
	}
	c := counter{buf: make([]byte, 0, 2*head)}
	if err := c.count(from); err != nil {
		return format{}, err
	}
	f := format{mark: bytes.HasPrefix(c.head, byteOrderMark), fault: unfit(c.head)}
	// A text in GB18030 has hardly any character of three bytes of UTF-8. One in UTF-8 with
	// a fault has more of those than faults.
	if f.fault == "" && !f.mark && c.wrong > c.long {
		fits, err := inGB18030(from)
		if err != nil {
			return f, err
		}
		f.gb18030 = fits
	}
	f.dump = isDump(bytes.TrimPrefix(c.head, byteOrderMark))
	return f, nil
}

// unfit returns the fault of a file that is no text in one of the encodings.
func unfit(begin []byte) string {
	zeros := bytes.Count(begin, []byte{0})
	switch {
	case bytes.HasPrefix(begin, []byte("\xff\xfe")), bytes.HasPrefix(begin, []byte("\xfe\xff")):
		return FaultUTF16
	case bytes.HasPrefix(begin, []byte("PK\x03\x04")), bytes.HasPrefix(begin, []byte("\x1f\x8b")),
		bytes.HasPrefix(begin, []byte("\xd0\xcf\x11\xe0")), bytes.HasPrefix(begin, []byte("BZh")),
		bytes.HasPrefix(begin, []byte("\xfd7zXZ")), bytes.HasPrefix(begin, []byte("\x28\xb5\x2f\xfd")), bytes.HasPrefix(begin, []byte("7z\xbc\xaf")):
		return FaultPacked
	case len(begin) > 1 && zeros*3 > len(begin):
		return FaultUTF16
	}
	return ""
}

// counter counts what of a file is no UTF-8.
type counter struct {
	head, buf []byte
	// wrong is how many bytes belong to no character, and long how many characters have
	// three bytes or more.
	wrong, long int64
}

func (c *counter) count(from io.Reader) error {
	for rest := 0; ; {
		n, err := io.ReadFull(from, c.buf[rest:rest+head])
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		part := c.buf[:rest+n]
		if c.head == nil {
			c.head = bytes.Clone(part)
		}
		for len(part) > 0 && (last || utf8.FullRune(part)) {
			if part[0] < utf8.RuneSelf {
				part = part[1:]
				continue
			}
			r, size := utf8.DecodeRune(part)
			switch {
			case r == utf8.RuneError && size == 1:
				c.wrong++
			case size > 2:
				c.long++
			}
			part = part[size:]
		}
		if last {
			return nil
		}
		rest = copy(c.buf[:cap(c.buf)], part)
	}
}

// inGB18030 tells whether all of a file is GB18030. GBK and GB2312 are parts of it.
func inGB18030(from io.ReadSeeker) (bool, error) {
	text, err := format{gb18030: true}.open(from)
	if err != nil {
		return false, err
	}
	wrong := []byte(string(utf8.RuneError))
	buf := make([]byte, head)
	for rest := 0; ; {
		n, err := text.Read(buf[rest:])
		part := buf[:rest+n]
		if bytes.Contains(part, wrong) {
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		rest = copy(buf, part[max(0, len(part)-len(wrong)+1):])
	}
}

var (
	// dumpBegins is how a dump begins, and hasStatement what it has.
	dumpBegins   = regexp.MustCompile(`^\s*(--\s|--$|/\*|#|(?i:CREATE|INSERT|REPLACE|DROP|SET|USE|LOCK|DELIMITER|START|BEGIN|DELETE|TRUNCATE|ALTER)\s)`)
	hasStatement = regexp.MustCompile(`(?i)(^|\n|;|\*/)\s*(INSERT|REPLACE)\s[^\n]*(INTO|VALUES)|CREATE\s+(TEMPORARY\s+)?TABLE\b`)
	commented    = regexp.MustCompile(`^\s*(--\s|/\*)`)
)

// isDump tells whether a text is a dump of SQL tables, by its beginning.
func isDump(begin []byte) bool {
	return dumpBegins.Match(begin) && (hasStatement.Match(begin) || commented.Match(begin))
}
