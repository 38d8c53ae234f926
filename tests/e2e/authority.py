"""Private authorities and device certificates for tests, made with `openssl`."""

import pathlib
import subprocess

EXTENSIONS = """
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[device]
basicConstraints = critical,CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[huge]
basicConstraints = critical,CA:FALSE
1.2.3.4 = ASN1:UTF8String:%s
[server]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
"""


def openssl(*words, **options):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30, **options)


class Certificate:
    """`file` holds the certificate, `chain` with what is between it and the authority, `key` its key."""

    def __init__(self, folder, name):
        self.file = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        self.chain = self.file

    @property
    def fingerprint(self):
        text = openssl("x509", "-in", self.file, "-noout", "-fingerprint", "-sha256").stdout.decode()
        return text.split("=")[1].strip().replace(":", "").lower()

    @property
    def serial(self):
        return openssl("x509", "-in", self.file, "-noout", "-serial").stdout.decode().split("=")[1].strip()

    def load_into(self, context):
        context.load_cert_chain(self.chain, self.key)
        return context


class Authority(Certificate):
    def __init__(self, folder, name="ca", subject=None, parent=None, days=3650):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, name)
        self.folder = folder
        self.parent = parent
        self.next_serial = 0x1000
        self.extensions = folder / "extensions.cnf"
        self.extensions.write_text(EXTENSIONS % ("x" * 60_000))
        self._make(self, subject or f"/CN={name}/O=Tests", "ca", days, parent)

    def _make(self, certificate, subject, kind, days, issuer, not_before=None, not_after=None, key="ec", utf8=False):
        if key == "ec":
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", certificate.key)
        else:
            openssl("genrsa", "-out", certificate.key, key)
        request = certificate.file.with_suffix(".csr")
        openssl("req", "-new", "-key", certificate.key, "-out", request, "-subj", subject, *(["-utf8"] if utf8 else []))
        if not_before:
            self._make_dated(certificate, request, kind, not_before, not_after)
            return
        words = ["x509", "-req", "-in", request, "-out", certificate.file, "-days", days, "-sha256", "-extfile",
                 self.extensions, "-extensions", kind]
        if issuer is None:
            words += ["-signkey", certificate.key]
        else:
            issuer.next_serial += 1
            words += ["-CA", issuer.file, "-CAkey", issuer.key, "-set_serial", issuer.next_serial]
        openssl(*words)

    def _ca_folder(self):
        """What `openssl ca` keeps: for dates of one's own and revocation lists."""
        if not (self.folder / "index.txt").exists():
            (self.folder / "index.txt").write_text("")
            (self.folder / "serial").write_text("5000\n")
            (self.folder / "crlnumber").write_text("01\n")
            (self.folder / "ca.cnf").write_text(
                f"[ca]\ndefault_ca = d\n[d]\ndatabase = {self.folder}/index.txt\nserial = {self.folder}/serial\n"
                f"crlnumber = {self.folder}/crlnumber\nnew_certs_dir = {self.folder}\ndefault_md = sha256\npolicy = p\n"
                "unique_subject = no\n[p]\ncommonName = optional\norganizationalUnitName = optional\n")
        return ["ca", "-batch", "-config", self.folder / "ca.cnf", "-cert", self.file, "-keyfile", self.key]

    def _make_dated(self, certificate, request, kind, not_before, not_after):
        openssl(*self._ca_folder(), "-in", request, "-out", certificate.file, "-startdate", not_before, "-enddate",
                not_after, "-extfile", self.extensions, "-extensions", kind, "-notext")

    def device(self, name, subject=None, kind="device", days=365, **options):
        made = Certificate(self.folder, name)
        self._make(made, subject or f"/CN={name}", kind, days, self, **options)
        if self.parent:
            made.chain = self.folder / f"{name}.chain.pem"
            made.chain.write_bytes(made.file.read_bytes() + self.file.read_bytes())
        return made

    def revocation_list(self, *certificates):
        for one in certificates:
            openssl(*self._ca_folder(), "-revoke", one.file)
        out = self.folder / f"{self.file.stem}.crl"
        openssl(*self._ca_folder(), "-gencrl", "-crldays", "30", "-out", out)
        return out
