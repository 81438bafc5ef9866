# Compiler and linker flags of every target: warnings, hardening (SECURITY.md 2.3), sanitizers, cache.
add_library(godwit_flags INTERFACE)
target_compile_options(godwit_flags INTERFACE
  -Wall -Wextra -Wformat=2 -Werror=format-security -Wconversion -Wsign-conversion
  -Wimplicit-fallthrough -Wshadow -Wnull-dereference -Wno-gnu-statement-expression
  -Werror=return-type -Werror=unused-result -Werror=uninitialized -Werror=dangling
  -fstack-protector-strong -fcf-protection=full -ftrivial-auto-var-init=zero
  -fno-delete-null-pointer-checks -fno-strict-aliasing -fstrict-flex-arrays=3
  # The precompiled header must be the same for the compiler cache each time.
  -Xclang -fno-pch-timestamp)
target_compile_definitions(godwit_flags INTERFACE _GLIBCXX_ASSERTIONS BOOST_ASIO_NO_DEPRECATED)
target_include_directories(godwit_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_link_options(godwit_flags INTERFACE -fuse-ld=lld-19 -pie -Wl,-z,relro,-z,now,-z,noexecstack)
find_package(Threads REQUIRED)
target_link_libraries(godwit_flags INTERFACE Threads::Threads)

if(GODWIT_SANITIZE)
  target_compile_options(godwit_flags INTERFACE -O1 -g1 -fno-omit-frame-pointer
    -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  target_link_options(godwit_flags INTERFACE -fsanitize=address,undefined)
else()
  target_compile_options(godwit_flags INTERFACE -fstack-clash-protection)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    # NDEBUG changes nothing of ours: check() is always on.
    target_compile_options(godwit_flags INTERFACE -O2 -g1 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    target_link_options(godwit_flags INTERFACE -Wl,--gc-sections)
    target_compile_options(godwit_flags INTERFACE -ffunction-sections)
  endif()
endif()
set(CMAKE_CXX_FLAGS_DEBUG "")
set(CMAKE_CXX_FLAGS_RELEASE "-DNDEBUG")
if(GODWIT_COVERAGE)
  target_compile_options(godwit_flags INTERFACE -O0 -g1 -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(godwit_flags INTERFACE -fprofile-instr-generate)
endif()
