# Reference values for McNemar's test, paired differences and predictive values, from the definitions with plain loops.
# Run in this folder: Rscript golden.R
# Then, with DTComPair, PropCIs, exact2x2 and clust.bin.pair installed: Rscript packages.R
set.seed(20240607)
options(digits = 17)
save_csv <- function(frame, file) write.csv(format(frame, digits = 17, trim = TRUE), file, row.names = FALSE, quote = FALSE)

# ---- McNemar: binom.test, mcnemar.test, mid-p summed -------------------------------------------------------------
counts <- data.frame(only_first = c(38, 9, 6, 10, 3, 1, 0, 120, 40, 0), only_second = c(21, 0, 0, 10, 8, 0, 1, 95, 41, 25))
two_by_two <- function(b, c) matrix(c(5, b, c, 5), 2)
mid_p <- function(b, c) {
  one_sided <- 0
  for (k in 0:min(b, c)) one_sided <- one_sided + choose(b + c, k) / 2^(b + c) * (if (k == min(b, c)) 1 / 2 else 1)
  2 * one_sided
}
save_csv(do.call(rbind, lapply(seq_len(nrow(counts)), function(i) {
  b <- counts$only_first[i]; c <- counts$only_second[i]
  plain <- mcnemar.test(two_by_two(b, c), correct = FALSE); corrected <- mcnemar.test(two_by_two(b, c), correct = TRUE)
  data.frame(only_first = b, only_second = c, exact = binom.test(b, b + c)$p.value, mid_p = mid_p(b, c),
    chi2_statistic = unname(plain$statistic), chi2 = plain$p.value,
    corrected_statistic = unname(corrected$statistic), corrected = corrected$p.value)
})), "mcnemar.csv")

# ---- Tango (1998): roots of the score, the nuisance probability found by maximizing the likelihood ---------------
# Under a difference d the probabilities are q + d (only first), q (only second) and 1 - 2 q - d (the rest).
nuisance <- function(d, b, c, n) {
  slope <- function(q) {
    (if (b > 0) b / (q + d) else 0) + (if (c > 0) c / q else 0) - (if (n > b + c) 2 * (n - b - c) / (1 - 2 * q - d) else 0)
  }
  low <- max(0, -d); high <- (1 - d) / 2; edge <- (high - low) * 1e-15
  if (slope(low + edge) <= 0) return(low)
  if (slope(high - edge) >= 0) return(high)
  uniroot(slope, c(low + edge, high - edge), tol = 1e-16)$root
}
score <- function(d, b, c, n) (b - c - n * d) / sqrt(n * (2 * nuisance(d, b, c, n) + d * (1 - d)))
tango <- function(b, c, n) {
  z <- qnorm(.975); estimate <- (b - c) / n; step <- 1e-9
  root <- function(from, to, level) uniroot(function(d) score(d, b, c, n) - level, c(from, to), tol = 1e-15)$root
  c(if (c == n) -1 else root(-1 + step, estimate - step, z),
    if (b == n) 1 else root(estimate + step, 1 - step, -z))
}
tables <- data.frame(only_first = c(38, 9, 6, 0, 0, 12, 0, 1, 3, 10, 30, 0), only_second = c(21, 0, 0, 0, 12, 0, 1, 0, 8, 10, 25, 9),
  total = c(475, 268, 268, 40, 12, 12, 1, 5, 11, 100, 1000, 30))
bounds <- t(mapply(tango, tables$only_first, tables$only_second, tables$total))
save_csv(cbind(tables, low = bounds[, 1], high = bounds[, 2]), "tango.csv")

# ---- cases with patients ------------------------------------------------------------------------------------------
case_set <- function(name, patient, label, first, second) data.frame(set = name, patient = patient, label = label, first = first, second = second)
size <- sample(1:5, 50, TRUE); patient <- rep(seq_along(size), size); ill <- rbinom(50, 1, .5)[patient]; n <- length(patient)
shift <- rnorm(50)[patient]
cases <- rbind(
  case_set("tiny", c(1, 1, 1, 2, 2, 3, 4, 4), c(1, 1, 0, 1, 0, 1, 0, 1), c(1, 0, 1, 1, 0, 1, 0, 1), c(0, 0, 1, 1, 1, 0, 1, 1)),
  case_set("clustered", patient, ill, rbinom(n, 1, plogis(1.5 * ill - 1 + shift)), rbinom(n, 1, plogis(2.5 * ill - 1 + shift))),
  case_set("imbalanced", rep(1:60, each = 2), rep(c(1, 0), c(14, 106)), rbinom(120, 1, rep(c(.8, .2), c(14, 106))),
    rbinom(120, 1, rep(c(.7, .15), c(14, 106)))),
  case_set("single", 1:80, rep(0:1, 40), rbinom(80, 1, .3 + .4 * rep(0:1, 40)), rbinom(80, 1, .2 + .5 * rep(0:1, 40))))
save_csv(cases, "cases.csv")

# ---- Durkalski (2003) and Obuchowski (1998), over the positives (sensitivity) and the negatives (specificity) ------
clustered <- NULL
for (name in unique(cases$set)) for (class in 1:0) {
  one <- cases[cases$set == name & cases$label == class, ]
  first <- one$first == class; second <- one$second == class
  top <- bottom <- centered <- 0; patients <- unique(one$patient); d <- mean(first) - mean(second)
  for (who in patients) {
    mine <- one$patient == who
    b <- sum(first[mine] & !second[mine]); c <- sum(!first[mine] & second[mine])
    top <- top + (b - c) / sum(mine); bottom <- bottom + ((b - c) / sum(mine))^2
    centered <- centered + (b - c - sum(mine) * d)^2
  }
  k <- length(patients)
  clustered <- rbind(clustered, data.frame(set = name, class = class, only_first = sum(first & !second),
    only_second = sum(second & !first), statistic = top^2 / bottom, p = pchisq(top^2 / bottom, 1, lower.tail = FALSE),
    difference = d, se = sqrt(k / (k - 1) * centered) / nrow(one)))
}
save_csv(clustered, "clustered.csv")

# ---- predictive values: contributions of every case in loops; groups of one case, or patients ---------------------
expand <- function(name, n) {
  grid <- expand.grid(second = 0:1, first = 0:1, label = 0:1)
  rows <- grid[rep(1:8, n), ]
  case_set(name, seq_len(nrow(rows)), rows$label, rows$first, rows$second)
}
# In the order label, first, second: 000 001 010 011 100 101 110 111
groups <- list(seed_study = c(391, 38, 21, 25, 16, 10, 10, 232), rare = c(900, 12, 15, 20, 3, 2, 4, 8),
  small = c(5, 2, 1, 2, 2, 1, 2, 4), perfect_first = c(30, 4, 0, 0, 3, 1, 2, 14))
save_csv(do.call(rbind, lapply(names(groups), function(g) data.frame(set = g, cell = 1:8, count = groups[[g]]))), "tables.csv")
compare <- function(one, value, cluster) {
  ill <- if (value == "ppv") one$label == 1 else one$label == 0
  call <- if (value == "ppv") one[, c("first", "second")] == 1 else one[, c("first", "second")] == 0
  n1 <- sum(call[, 1]); n2 <- sum(call[, 2]); v1 <- sum(ill & call[, 1]) / n1; v2 <- sum(ill & call[, 2]) / n2
  pooled <- (v1 * n1 + v2 * n2) / (n1 + n2); share2 <- n2 / (n1 + n2)
  score <- squares <- own1 <- own2 <- cross <- ratio <- 0
  for (who in unique(cluster)) {
    u <- a <- b <- w <- 0
    for (i in which(cluster == who)) for (model in 1:2) if (call[i, model]) {
      u <- u + (ill[i] - pooled) * ((model == 2) - share2)
      if (model == 1) { a <- a + ill[i] - pooled; w <- w + (ill[i] - v1) / (n1 * v1) }
      else { b <- b + ill[i] - pooled; w <- w - (ill[i] - v2) / (n2 * v2) }
    }
    score <- score + u; squares <- squares + u^2
    own1 <- own1 + a^2; own2 <- own2 + b^2; cross <- cross + a * b; ratio <- ratio + w^2
  }
  # Kosinski: pooled variance of both models' results, less twice the covariance of results on the same case (patient).
  weighted <- (v1 - v2)^2 / ((own1 + own2) / (n1 + n2) * (1 / n1 + 1 / n2) - 2 * cross / (n1 * n2))
  relative <- if (v2 > 0) v1 / v2 else NaN
  z <- log(relative) / sqrt(ratio)
  data.frame(value = value, first = v1, second = v2, generalized = score^2 / squares, weighted = weighted,
    relative = relative, low = exp(log(relative) - qnorm(.975) * sqrt(ratio)), high = exp(log(relative) + qnorm(.975) * sqrt(ratio)),
    z = z, p_generalized = pchisq(score^2 / squares, 1, lower.tail = FALSE), p_weighted = pchisq(weighted, 1, lower.tail = FALSE),
    p_relative = 2 * pnorm(-abs(z)))
}
save_csv(do.call(rbind, lapply(names(groups), function(g) {
  one <- expand(g, groups[[g]])
  cbind(set = g, rbind(compare(one, "ppv", one$patient), compare(one, "npv", one$patient)))
})), "predictive.csv")
save_csv(do.call(rbind, lapply(c("tiny", "clustered", "imbalanced"), function(name) {
  one <- cases[cases$set == name, ]
  cbind(set = name, rbind(compare(one, "ppv", one$patient), compare(one, "npv", one$patient)))
})), "predictive_clustered.csv")

writeLines(R.version.string, "versions.txt")
