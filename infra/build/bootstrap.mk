# The Lambda executable for one architecture, called by `sam build` through arm64/Makefile or x86_64/Makefile.
#
# SAM's own Go builder can set neither build tags nor linker flags, so the function uses BuildMethod: makefile. That
# method does not tell make which architecture the template asks for; template.yaml therefore picks the Makefile by the
# name of its folder. Make runs in the repository's root (WorkingDirectory in template.yaml), never in a copy of it.

# A version only from this repository, not from one that happens to surround an unpacked archive.
VERSION := $(if $(wildcard .git),$(shell git describe --tags --always --dirty 2>/dev/null))

export CGO_ENABLED := 0
export GOOS := linux
export GOARCH

# lambda.norpc leaves out the interface of the retired go1.x runtime. Without a usable git there is no VCS stamp to
# take, and go would stop with an error instead of leaving it out.
.PHONY: build-AuditorFunction
build-AuditorFunction:
	go build -trimpath -buildvcs=$(if $(VERSION),auto,false) -tags lambda.norpc \
		-ldflags "-s -w -buildid= -X main.version=$(or $(VERSION),dev)" \
		-o "$(ARTIFACTS_DIR)/bootstrap" ./function
