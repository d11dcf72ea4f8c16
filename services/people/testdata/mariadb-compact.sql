/*M!999999\- enable the sandbox mode */ 
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `allinfo` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `openid` varchar(64) NOT NULL DEFAULT '',
  `name` varchar(50) DEFAULT NULL COMMENT '姓名; 可空, (选填)',
  `phone` varchar(20) DEFAULT NULL,
  `due date` date DEFAULT NULL,
  `score` decimal(8,2) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `openid` (`openid`)
) ENGINE=MyISAM AUTO_INCREMENT=4 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `allinfo` VALUES
(1,'oTest00000000000000000000000','林小燕','13800000000','2026-11-30',-1.50),
(2,'oTest00000000000000000000001','O\'Brien; \\\\ \"x\"\n第二行',NULL,NULL,12.00),
(3,'oTest00000000000000000000009','吴（已离开）','',NULL,NULL);
