"""What a path says of the artifact that is there: package, version, package URL. Documents are no artifacts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from mirror.ecosystems.naming import named
from mirror.model import Mirror

MIRRORS = {name: Mirror(name, name) for name in ("pypi", "npm", "any", "http")}
MIRRORS |= {name: Mirror(name, "apt") for name in ("debian", "ubuntu-ports", "packages")}

ARTIFACTS = [
    ("pypi", "/files/p/six-1.16.0-py2.py3-none-any.whl", "six", "1.16.0", "pkg:pypi/six@1.16.0"),
    ("pypi", "/files/p/Foo_Bar-2.0-1-py3-none-any.whl", "foo-bar", "2.0", "pkg:pypi/foo-bar@2.0"),
    (
        "pypi",
        "/files/p/torch-2.1.0%2Bcpu-cp311-cp311-linux_x86_64.whl",
        "torch",
        "2.1.0+cpu",
        "pkg:pypi/torch@2.1.0%2Bcpu",
    ),
    ("pypi", "/files/p/zope.interface-5.4.0.tar.gz", "zope-interface", "5.4.0", "pkg:pypi/zope-interface@5.4.0"),
    ("pypi", "/files/p/foo-2-1.0.tar.gz", "foo-2", "1.0", "pkg:pypi/foo-2@1.0"),
    ("pypi", "/files/p/foo-1.0-2.zip", "foo", "1.0-2", "pkg:pypi/foo@1.0-2"),
    ("pypi", "/files/p/foo-1.0rc1.tar.bz2", "foo", "1.0rc1", "pkg:pypi/foo@1.0rc1"),
    ("pypi", "/files/p/foo-20200101-final.tar.gz", "foo", "20200101-final", "pkg:pypi/foo@20200101-final"),
    ("pypi", "/files/p/foo-1.0-py2.7.egg", "foo", "1.0", "pkg:pypi/foo@1.0"),
    ("npm", "/left-pad/-/left-pad-1.3.0.tgz", "left-pad", "1.3.0", "pkg:npm/left-pad@1.3.0"),
    (
        "npm",
        "/@babel/core/-/core-7.0.0-beta.1.tgz",
        "@babel/core",
        "7.0.0-beta.1",
        "pkg:npm/%40babel/core@7.0.0-beta.1",
    ),
    ("npm", "/@babel%2fcore/-/core-7.0.0.tgz", "@babel/core", "7.0.0", "pkg:npm/%40babel/core@7.0.0"),
    ("npm", "/odd/-/package.tgz", "odd", "", "pkg:npm/odd"),
    (
        "debian",
        "/pool/main/c/curl/curl_7.50.3-1_i386.deb",
        "curl",
        "7.50.3-1",
        "pkg:deb/debian/curl@7.50.3-1?arch=i386",
    ),
    ("ubuntu-ports", "/pool/g/git_1%3a2.43-1_all.deb", "git", "1:2.43-1", "pkg:deb/ubuntu/git@1:2.43-1?arch=all"),
    ("packages", "/flat/xz_1.0~rc1+b2_amd64.udeb", "xz", "1.0~rc1+b2", "pkg:deb/xz@1.0~rc1%2Bb2?arch=amd64"),
    ("debian", "/pool/c/curl_7.50.3-1.dsc", "curl", "7.50.3-1", "pkg:deb/debian/curl@7.50.3-1?arch=source"),
    ("debian", "/pool/c/curl_7.50.3.orig.tar.xz", "curl", "7.50.3", "pkg:deb/debian/curl@7.50.3?arch=source"),
    (
        "any",
        "/https/downloads.example.com/t/v1/tool.tar.gz",
        "tool.tar.gz",
        "",
        "pkg:generic/tool.tar.gz?download_url=https://downloads.example.com/t/v1/tool.tar.gz",
    ),
    ("http", "/pub/tool.tar.gz", "tool.tar.gz", "", "pkg:generic/tool.tar.gz"),
]

NONE = [
    ("pypi", "/simple/six/"),
    ("pypi", "/pypi/six/json"),
    ("pypi", "/files/p/six-1.16.0-py2.py3-none-any.whl.metadata"),
    ("pypi", "/files/p/six-1.16.0.tar.gz.asc"),
    ("pypi", "/files/p/README"),
    ("pypi", "/integrity/six/1.16.0/six-1.16.0.tar.gz/provenance"),
    ("npm", "/left-pad"),
    ("npm", "/left-pad/1.3.0"),
    ("npm", "/-/npm/v1/keys"),
    ("npm", "/left-pad/-/"),
    ("debian", "/dists/stable/InRelease"),
    ("debian", "/dists/stable/main/binary-amd64/Packages.xz"),
    ("debian", "/pool/main/c/curl/"),
    ("any", "/https/downloads.example.com/pub/"),
    ("any", "/"),
    ("http", "/"),
    ("http", "/pub/"),
    ("pypi", "/files/%zz/six-1.16.0.tar.gz"),
    ("npm", "/../x/-/x-1.0.0.tgz"),
]


@pytest.mark.parametrize(("mirror", "path", "package", "version", "purl"), ARTIFACTS)
def test_a_path_names_its_artifact(mirror: str, path: str, package: str, version: str, purl: str) -> None:
    found = named(MIRRORS[mirror], path)
    assert found is not None
    assert (found.package, found.version, found.purl) == (package, version, purl)


@pytest.mark.parametrize(("mirror", "path"), NONE)
def test_documents_and_what_stands_beside_a_file_are_no_artifacts(mirror: str, path: str) -> None:
    assert named(MIRRORS[mirror], path) is None


def test_secrets_in_a_path_are_in_no_name() -> None:
    for mirror in ("any", "http"):
        found = named(MIRRORS[mirror], "/https/downloads.example.com/d/file;token=swordfish/x;token=swordfish")
        assert found is not None
        assert "swordfish" not in repr(found)


@given(mirror=st.sampled_from(sorted(MIRRORS)), path=st.text(max_size=60).map(lambda text: "/" + text))
def test_whatever_the_path_there_is_a_purl_that_can_be_read_or_nothing(mirror: str, path: str) -> None:
    found = named(MIRRORS[mirror], path)
    assert found is None or PackageURL.from_string(found.purl).name
