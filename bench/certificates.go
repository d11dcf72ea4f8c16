package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// newCertificates returns the chain of a server on the loopback address, as long as the
// platform's and with keys of the same kind: RSA 2048, signed by an intermediate; and the
// root in PEM.
func newCertificates() (leaf tls.Certificate, root []byte, err error) {
	top, err := newAuthority("Benchmark Root", nil)
	if err != nil {
		return leaf, nil, err
	}
	middle, err := newAuthority("Benchmark Intermediate", top)
	if err != nil {
		return leaf, nil, err
	}
	end, err := sign(&x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, middle)
	if err != nil {
		return leaf, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{end.cert.Raw, middle.cert.Raw}, PrivateKey: end.key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: top.cert.Raw}), nil
}

// identity is a certificate with its key.
type identity struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

// newAuthority returns a certificate that signs others, signed by itself without a parent.
func newAuthority(name string, parent *identity) (*identity, error) {
	serial := int64(1)
	if parent != nil {
		serial = 2
	}
	return sign(&x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, parent)
}

// sign makes a key and signs a certificate for it, with its own key without a parent.
func sign(template *x509.Certificate, parent *identity) (*identity, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(7*24*time.Hour)
	by := identity{cert: template, key: key}
	if parent != nil {
		by = *parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read a certificate: %w", err)
	}
	return &identity{cert, key}, nil
}
