#include "app/termination.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "app/cli.h"

namespace godwit::app {
namespace {

template <class Exception>
void end_by(Exception exception) {
    explain_termination();
    std::thread([&]() noexcept { throw exception; }).join();
}

TEST(TerminationDeathTest, without_memory_it_says_so_and_may_be_started_again) {
    EXPECT_EXIT(end_by(std::bad_alloc()), testing::ExitedWithCode(kExitTemporary),
                "process.out_of_memory");
}

TEST(TerminationDeathTest, without_a_thread_it_says_so) {
    EXPECT_EXIT(
        end_by(std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again))),
        testing::ExitedWithCode(kExitTemporary), "process.no_thread");
}

TEST(TerminationDeathTest, what_else_is_thrown_is_a_mistake_of_ours) {
    EXPECT_EXIT(end_by(std::logic_error("x")), testing::KilledBySignal(SIGABRT), "");
}

}  // namespace
}  // namespace godwit::app
