const ms = require("ms");

exports.handler = async (event) => {
  const period = event.period ?? "2 days";
  return { period, milliseconds: ms(period) };
};
