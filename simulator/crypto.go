package simulator

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" //nolint:gosec // the platform signs with SHA-1
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// padBlock is the PKCS#7 block of the platform's messages: twice that of AES, so a padding runs from 1 to 32 bytes
// (WeChat: message push encryption docs).
const padBlock = 32

// errSealed is what every fault of a sealed message turns into, so that an answer tells nothing about the plaintext.
var errSealed = errors.New("sealed message does not open")

// sign is the platform's signature: the hex SHA-1 of the parts, sorted and joined. The parts are token, timestamp and
// nonce for a URL, and the ciphertext as a fourth for a sealed message.
func sign(parts ...string) string {
	sorted := slices.Clone(parts)
	slices.Sort(sorted)
	sum := sha1.Sum([]byte(strings.Join(sorted, ""))) //nolint:gosec // the platform signs with SHA-1
	return hex.EncodeToString(sum[:])
}

func signed(signature string, parts ...string) bool {
	return subtle.ConstantTimeCompare([]byte(signature), []byte(sign(parts...))) == 1
}

// seal is the key with which an account's messages are encrypted, and the account that they name.
type seal struct {
	key   []byte
	block cipher.Block
	appID string
}

// newSeal reads the 43 characters of an EncodingAESKey. The two bits that 43 characters leave over may be set, so the
// decoding is not a strict one.
func newSeal(encodingAESKey, appID string) (*seal, error) {
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(encodingAESKey) != 43 || len(key) != 32 {
		return nil, errors.New("the encoding AES key must be 43 characters of base64")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return &seal{key: key, block: block, appID: appID}, nil
}

// close encrypts message: 16 salt bytes, the length, the message, the app id, padded, in AES-256-CBC.
func (s *seal) close(salt [16]byte, message []byte) string {
	size := len(salt) + 4 + len(message) + len(s.appID)
	pad := padBlock - size%padBlock
	plain := make([]byte, 0, size+pad)
	plain = append(plain, salt[:]...)
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(message))) //nolint:gosec // bodies stay under 1 MiB
	plain = append(plain, message...)
	plain = append(plain, s.appID...)
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(s.block, s.key[:aes.BlockSize]).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain)
}

// open decrypts what close made and gives the message. It refuses anything whose padding, length or app id is wrong.
func (s *seal) open(sealed string) ([]byte, error) {
	plain, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(plain) == 0 || len(plain)%aes.BlockSize != 0 {
		return nil, errSealed
	}
	cipher.NewCBCDecrypter(s.block, s.key[:aes.BlockSize]).CryptBlocks(plain, plain)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > padBlock || pad > len(plain) {
		return nil, errSealed
	}
	plain = plain[:len(plain)-pad]
	if len(plain) < 20 {
		return nil, errSealed
	}
	size := uint64(binary.BigEndian.Uint32(plain[16:20]))
	rest := plain[20:]
	if size > uint64(len(rest)) || string(rest[size:]) != s.appID {
		return nil, errSealed
	}
	return rest[:size], nil
}
