#include "base/json.h"

#include <doctest/doctest.h>

#include <limits>

#include "base/error.h"

using holdall::Error;
using holdall::Json;

TEST_CASE("an object keeps the order of its members") {
  constexpr auto kText = R"({"z":1,"a":[true,null,"x"],"m":{"b":1.5,"a":-2}})";
  CHECK(Json::parse(kText).print() == kText);
}

TEST_CASE("integers of 64 bits are exact") {
  for (std::int64_t value :
       {std::numeric_limits<std::int64_t>::min(), std::int64_t{1'795'212'673'941'031'425},
        std::numeric_limits<std::int64_t>::max(), std::int64_t{0}}) {
    CHECK(Json::parse(std::to_string(value)).integer() == value);
    CHECK(Json::parse(Json(value).print()).integer() == value);
  }
}

TEST_CASE("a double reads back as the same double, and stays one") {
  for (double value : {0.1, 1.0, -0.0, 1e300, 5e-324, 2.2250738585072014e-308, 123456789.123456789}) {
    Json again = Json::parse(Json(value).print());
    CHECK_FALSE(again.is_int());
    CHECK(again.number() == value);
  }
  CHECK(Json::parse("18446744073709551616").number() == 18446744073709551616.0);
  CHECK(Json(std::numeric_limits<double>::infinity()).print() == "null");
}

TEST_CASE("strings are escaped where they must be, and read back") {
  std::string odd = "quote \" slash \\ line\n tab\t bell\a nul";
  odd += '\0';
  odd += "é€😀";
  CHECK(Json::parse(Json(odd).print()).string() == odd);
  CHECK(Json("a\nb\x01").print() == R"("a\nb\u0001")");
  CHECK(Json::parse(R"("\u00e9\ud83d\ude00\/")").string() == "é😀/");
}

TEST_CASE("bytes that are not UTF-8 are replaced") {
  CHECK(holdall::json_quote("a\xff"
                            "b") ==
        "\"a\xef\xbf\xbd"
        "b\"");
  CHECK(holdall::json_quote("\xc3") == "\"\xef\xbf\xbd\"");
  CHECK(holdall::json_quote("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // a surrogate
  CHECK(holdall::json_quote("\xe2\x82\xac") == "\"€\"");
}

TEST_CASE("a fault is named with its line and column") {
  CHECK_THROWS_WITH_AS(Json::parse("{\"a\": 1,\n \"b\": tru }"), doctest::Contains("json:2:"), Error);
  CHECK_THROWS_AS(Json::parse(""), Error);
  CHECK_THROWS_AS(Json::parse("{\"a\":1} x"), Error);
  CHECK_THROWS_AS(Json::parse("{\"a\":1,}"), Error);
  CHECK_THROWS_AS(Json::parse("[1"), Error);
  CHECK_THROWS_AS(Json::parse("'a'"), Error);
  CHECK_THROWS_AS(Json::parse("01"), Error);
  CHECK_THROWS_AS(Json::parse("NaN"), Error);
  CHECK_THROWS_AS(Json::parse("// no\n1"), Error);
  CHECK_THROWS_AS(Json::parse("\"\xff\""), Error);
  CHECK_THROWS_AS(Json::parse("1e999"), Error);
}

TEST_CASE("a duplicate name is refused, with the name") {
  CHECK_THROWS_WITH_AS(Json::parse(R"({"a":1,"b":{"a":2},"a":3})"), doctest::Contains("duplicate name \"a\""),
                       Error);
}

TEST_CASE("a hundred levels are read, more are refused") {
  auto nested = [](int levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  CHECK(Json::parse(nested(100)).print() == nested(100));
  CHECK_THROWS_AS(Json::parse(nested(101)), Error);
  CHECK_THROWS_AS(Json::parse(std::string(100'000, '[')), Error);
}

TEST_CASE("blanks around a value are no fault") {
  CHECK(Json::parse(" \n\t[ 1 , 2 ]\r\n").print() == "[1,2]");
}

TEST_CASE("pretty print indents by two and ends the line") {
  Json value = Json::object({{"a", Json::array({1, 2})}, {"b", Json::object()}});
  CHECK(value.pretty() == "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}\n");
  CHECK(Json::parse(value.pretty()) == value);
}

TEST_CASE("a value of another kind is named when it is asked for") {
  CHECK_THROWS_WITH_AS(Json("x").integer(), "expected an integer, found a string", Error);
  CHECK_THROWS_WITH_AS(Json(1).at("x"), "expected an object, found an integer", Error);
  CHECK_THROWS_WITH_AS(Json::object().at("x"), "member \"x\" is missing", Error);
  CHECK(Json(3).number() == 3.0);
}

TEST_CASE("members are found, made and erased by name") {
  Json value;
  value["a"]["b"] = 1;
  value["list"].add("x");
  CHECK(value.print() == R"({"a":{"b":1},"list":["x"]})");
  CHECK(value.find("none") == nullptr);
  CHECK(Json(1).find("none") == nullptr);
  CHECK(value.at("a").integer_or("b", 5) == 1);
  CHECK(value.at("a").integer_or("c", 5) == 5);
  value["n"] = nullptr;
  CHECK(value.string_or("n", "fallback") == "fallback");
  value.erase("a");
  CHECK(value.find("a") == nullptr);
}

TEST_CASE("objects are equal in any order, arrays are not") {
  CHECK(Json::parse(R"({"a":1,"b":[1,2]})") == Json::parse(R"({"b":[1,2],"a":1})"));
  CHECK_FALSE(Json::parse("[1,2]") == Json::parse("[2,1]"));
  CHECK_FALSE(Json::parse(R"({"a":1})") == Json::parse(R"({"a":1,"b":2})"));
}
